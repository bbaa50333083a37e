//! What an operation says of itself in the OpenAPI document. Its signature says most of it: each extractor and the
//! answer describe themselves, and [`operation`](crate::operation) puts them together.

use std::collections::BTreeMap;

use axum::{
    handler::Handler,
    http::StatusCode,
    routing::{MethodFilter, MethodRouter},
};
use utoipa::{
    __dev::SchemaReferences,
    PartialSchema, ToSchema,
    openapi::{
        ContentBuilder, HttpMethod, Ref, RefOr, Required, ResponseBuilder, Schema,
        path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, Paths},
        request_body::{RequestBody, RequestBodyBuilder},
        security::SecurityRequirement,
    },
};
use utoipa_axum::{PathItemExt, router::UtoipaMethodRouter};

use super::{
    code::Code,
    fields::{FieldError, FromFields, Step, in_body},
    openapi::{ANY_ERRORS, BODY_ERRORS, PATCH_ERRORS, error_responses, text_header},
    problem::PLAIN,
    schema,
};
use usher_shared::foundation::rules::{Violation, ViolationKind};

/// What a part of an operation's signature adds to the document: an extractor, or the answer.
///
/// ```
/// use usher_api::{Code, Describe, OperationDoc};
///
/// /// A webhook's signature.
/// struct Signed;
///
/// impl Describe for Signed {
///     fn describe(operation: &mut OperationDoc) {
///         operation.errors(&[Code::INVALID_CREDENTIAL]);
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what it adds to the OpenAPI document",
    note = "implement `Describe` for it; an empty implementation adds nothing"
)]
pub trait Describe {
    /// Adds to the document of an operation; nothing unless it says otherwise.
    fn describe(_operation: &mut OperationDoc) {}
}

/// An operation of the document, in the making.
pub struct OperationDoc {
    method: HttpMethod,
    path: &'static str,
    /// What it is about, such as `ticket`.
    object: &'static str,
    parameters: Vec<Parameter>,
    body: Option<RequestBody>,
    /// What it answers when it does as asked, by status.
    answers: BTreeMap<u16, ResponseBuilder>,
    security: Vec<SecurityRequirement>,
    codes: Vec<Code>,
    fault: (Fault, fn() -> FieldError),
    schemas: Vec<(String, RefOr<Schema>)>,
}

/// Which part of a request the example of a 422 is about; the greatest wins.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    None,
    Header,
    Path,
    Query,
    Body,
}

/// What is written above and beside a handler.
#[doc(hidden)]
pub struct Said {
    pub id: &'static str,
    pub tag: Option<&'static str>,
    pub about: &'static str,
    pub ok: Option<&'static str>,
    pub ok_status: Option<u16>,
    pub errors: &'static [Code],
}

impl OperationDoc {
    #[doc(hidden)]
    #[must_use]
    pub fn new(method: HttpMethod, path: &'static str, object: &'static str) -> Self {
        Self {
            method,
            path,
            object,
            parameters: vec![],
            body: None,
            answers: BTreeMap::new(),
            security: vec![],
            codes: vec![],
            fault: (Fault::None, FieldError::sample),
            schemas: vec![],
        }
    }

    /// What the operation is about, for a sentence: `ticket`, or `tickets` where it is about several.
    #[must_use]
    pub fn object(&self) -> &'static str {
        self.object
    }

    /// Errors that the operation can answer with.
    pub fn errors(&mut self, codes: &[Code]) {
        for code in codes {
            if !self.codes.contains(code) {
                self.codes.push(*code);
            }
        }
    }

    /// A parameter in the path, the query or the headers.
    pub fn parameter(&mut self, parameter: Parameter) {
        self.parameters.push(parameter);
    }

    /// A credential that opens the operation: `apiKey` with scopes, or `accessToken`. Any one of them is enough.
    pub fn security(&mut self, scheme: &str, scopes: &[&str]) {
        let requirement = SecurityRequirement::new(scheme, scopes.iter().copied());
        self.security.push(requirement);
    }

    /// An answer of this status, with a body of this type.
    pub fn answer<T: ToSchema>(&mut self, status: StatusCode, about: &str) {
        let reference = self.schema::<T>();
        self.answer_as(status, about, reference);
    }

    /// An answer of this status without a body.
    pub fn empty_answer(&mut self, status: StatusCode, about: &str) {
        let response = ResponseBuilder::new().description(about);
        self.answers.insert(status.as_u16(), response);
    }

    /// A header of the answer of this status.
    pub fn header(&mut self, status: StatusCode, name: &str, about: &str) {
        let status = status.as_u16();
        if let Some(response) = self.answers.remove(&status) {
            self.answers.insert(status, response.header(name, text_header(about)));
        }
    }

    /// Adds a schema, and those that it refers to, and refers to it.
    pub fn schema<T: ToSchema>(&mut self) -> Ref {
        let name = T::name().into_owned();
        self.add_schema::<T>(name, T::schema())
    }

    /// The same with a name and a schema of its own, such as those of a generic type.
    pub(super) fn add_schema<T: ToSchema>(&mut self, name: String, schema: RefOr<Schema>) -> Ref {
        let reference = Ref::from_schema_name(&name);
        self.schemas.push((name, schema));
        T::schemas(&mut self.schemas);
        reference
    }

    pub(super) fn answer_as(&mut self, status: StatusCode, about: &str, schema: Ref) {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let response = ResponseBuilder::new().description(about).content(PLAIN, content);
        self.answers.insert(status.as_u16(), response);
    }

    /// An answer of 200 with the bytes of a file.
    pub(super) fn file_answer(&mut self, about: &str) {
        let response = ResponseBuilder::new().description(about);
        let content = ContentBuilder::new().schema(Some(schema::binary())).build();
        self.answers.insert(200, response.content("*/*", content));
    }

    pub(super) fn request_body(&mut self, body: RequestBody) {
        self.body = Some(body);
    }

    pub(super) fn body<T: FromFields + ToSchema>(&mut self, required: Required) {
        let (kinds, errors): (&[&str], _) = match self.method {
            HttpMethod::Patch => (&["application/merge-patch+json", PLAIN], PATCH_ERRORS),
            _ => (&[PLAIN], BODY_ERRORS),
        };
        let schema = self.schema::<T>();
        let body = RequestBodyBuilder::new().required(Some(required));
        let body = kinds.iter().fold(body, |body, kind| {
            let content = ContentBuilder::new().schema(Some(schema.clone())).build();
            body.content(*kind, content)
        });
        self.body = Some(body.build());
        self.errors(errors);
        self.sample(Fault::Body, body_fault::<T>);
    }

    pub(super) fn sample(&mut self, part: Fault, fault: fn() -> FieldError) {
        if part > self.fault.0 {
            self.fault = (part, fault);
        }
    }

    pub(super) fn sample_header(&mut self, fault: fn() -> FieldError) {
        self.sample(Fault::Header, fault);
    }

    #[doc(hidden)]
    #[must_use]
    pub fn schemas(self) -> Vec<(String, RefOr<Schema>)> {
        self.schemas
    }

    #[doc(hidden)]
    #[must_use]
    pub fn finish(mut self, said: &Said) -> Operation {
        // A resource that has a word of its own for what is not there says that one alone.
        if said.errors.iter().any(|code| code.status() == StatusCode::NOT_FOUND) {
            self.codes.retain(|code| *code != Code::NOT_FOUND);
        }
        self.errors(said.errors);
        self.errors(ANY_ERRORS);
        self.add_path_parameters();
        if let (true, Some(status)) = (self.answers.is_empty(), said.ok_status) {
            self.answers.insert(status, ResponseBuilder::new());
        }
        let mut operation = OperationBuilder::new()
            .operation_id(Some(said.id))
            .tag(said.tag.map_or_else(|| tag_of(self.path), str::to_owned))
            .securities(Some(match self.security.is_empty() {
                true => vec![SecurityRequirement::default()],
                false => self.security,
            }));
        let (summary, description) = said.about.split_once("\n\n").unwrap_or((said.about, ""));
        operation = operation.summary(Some(summary.replace('\n', " ")));
        if !description.is_empty() {
            operation = operation.description(Some(description));
        }
        for (status, response) in self.answers {
            let response = match said.ok {
                Some(ok) if (200..300).contains(&status) => response.description(ok),
                _ => response,
            };
            operation = operation.response(status.to_string(), response);
        }
        for (status, response) in error_responses(&self.codes, self.fault.1) {
            operation = operation.response(status, response);
        }
        for parameter in self.parameters {
            operation = operation.parameter(parameter);
        }
        operation.request_body(self.body).build()
    }

    /// Those that no extractor has described are texts.
    fn add_path_parameters(&mut self) {
        let names = self.path.split('{').skip(1);
        for name in names.filter_map(|rest| rest.split('}').next()) {
            if !self.parameters.iter().any(|parameter| parameter.name == name) {
                self.parameters
                    .push(path_parameter(name, schema::text().into()).build());
            }
        }
    }
}

/// `/api-keys/{id}` belongs to `Api keys`.
fn tag_of(path: &str) -> String {
    let first = path.split('/').nth(1).unwrap_or_default().replace('-', " ");
    let mut letters = first.chars();
    let initial = letters.next().map(|letter| letter.to_ascii_uppercase());
    initial.into_iter().chain(letters).collect()
}

pub(super) fn path_parameter(name: &str, schema: Schema) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(schema))
}

/// A fault of the first field, as an example.
fn body_fault<T: PartialSchema>() -> FieldError {
    let RefOr::T(Schema::Object(body)) = T::schema() else {
        return FieldError::sample();
    };
    let named = |name: &String, kind, message: &str| {
        FieldError::new(
            "body",
            Some(Step::Key(name.clone().into())),
            Violation::new(kind, message),
        )
    };
    match (body.required.first(), body.properties.keys().next()) {
        (Some(name), _) => named(name, ViolationKind::Missing, &format!("The field {name} is required")),
        (None, Some(name)) => named(name, ViolationKind::StringType, "Send a string"),
        (None, None) => in_body("", Violation::value("The body is not valid")),
    }
}

/// A documented handler, for a router.
#[doc(hidden)]
pub fn route<P, H, T, S>(_path: P, handler: H) -> UtoipaMethodRouter<S>
where
    P: utoipa::Path + SchemaReferences,
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    let methods = P::methods();
    let filter = methods.iter().map(PathItemExt::to_method_filter);
    let filter = filter.reduce(MethodFilter::or).unwrap_or(MethodFilter::GET);
    let (mut schemas, mut paths) = (vec![], Paths::new());
    P::schemas(&mut schemas);
    paths.add_path_operation(P::path(), methods, P::operation());
    (schemas, paths, MethodRouter::new().on(filter, handler))
}

/// A router of documented handlers: `operations![list_tickets, create_ticket]`.
#[macro_export]
macro_rules! operations {
    ($($handler:ident),+ $(,)?) => {
        $crate::__private::paste! {
            $crate::OpenApiRouter::<$crate::AppState>::new()
                $(.routes($crate::__private::route([<__path_ $handler>], $handler)))+
        }
    };
}
