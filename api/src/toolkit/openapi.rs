//! What operations declare of their errors in the OpenAPI document.

use std::{collections::BTreeMap, marker::PhantomData};

use axum::http::StatusCode;
use serde_json::json;
use utoipa::{
    IntoResponses, PartialSchema, ToSchema,
    openapi::{
        ContentBuilder, Header, HeaderBuilder, Object, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Schema,
        Type, example::ExampleBuilder, path::Operation,
    },
};

use super::{
    code::Code,
    error::ApiError,
    fields::FieldError,
    problem::{self, ErrorOut, Face, ProblemOut, ValidationErrorOut},
};

/// The API's default address.
pub(crate) const DEFAULT_URL: &str = "http://127.0.0.1:8000";

/// The errors of one operation.
pub trait ErrorList {
    /// Lists of codes, which can be shared between operations.
    const CODES: &'static [&'static [Code]];

    /// The fault in the example of a 422.
    fn fault() -> FieldError {
        FieldError::sample()
    }
}

/// `error_list!(Show, [KEY_ERRORS], [USER_NOT_FOUND], PathId::fault)` declares the [`ErrorList`] of an operation that
/// needs the database: lists that it shares with others, its own codes, and the fault of its 422 where that is not of a
/// body.
///
/// A code of a product is in a list of its own: `error_list!(Close, [KEY_ERRORS, &[TICKET_CLOSED]], [NOT_FOUND])`.
#[macro_export]
macro_rules! error_list {
    ($vis:vis $name:ident, [$($shared:expr),*], [$($code:ident),*] $(, $fault:path)?) => {
        $vis struct $name;

        impl $crate::ErrorList for $name {
            const CODES: &'static [&'static [$crate::Code]] = &[
                $($shared,)*
                &[$($crate::Code::$code),*],
                $crate::ANY_ERRORS,
            ];

            $(fn fault() -> $crate::FieldError {
                $fault()
            })?
        }
    };
}
pub(crate) use error_list;

/// Whatever reads a body.
pub const BODY_ERRORS: &[Code] = &[
    Code::BODY_TIMED_OUT,
    Code::BODY_NOT_TEXT,
    Code::BODY_TOO_LARGE,
    Code::UNSUPPORTED_CONTENT_CODING,
    Code::INVALID_REQUEST,
];
/// Whatever reads a merge patch.
pub const PATCH_ERRORS: &[Code] = &[
    Code::BODY_TIMED_OUT,
    Code::BODY_NOT_TEXT,
    Code::BODY_TOO_LARGE,
    Code::UNSUPPORTED_CONTENT_CODING,
    Code::UNSUPPORTED_MEDIA_TYPE,
    Code::INVALID_REQUEST,
];
/// Whatever takes a file.
pub(crate) const UPLOAD_ERRORS: &[Code] = &[
    Code::BODY_TIMED_OUT,
    Code::FILE_TOO_LARGE,
    Code::UNSUPPORTED_CONTENT_CODING,
    Code::UNSUPPORTED_MEDIA_TYPE,
    Code::INVALID_REQUEST,
];
/// Whatever takes an API key.
pub const KEY_ERRORS: &[Code] = &[
    Code::AUTHENTICATION_REQUIRED,
    Code::INVALID_CREDENTIAL,
    Code::INSUFFICIENT_SCOPE,
    Code::RATE_LIMITED,
];
/// Whatever takes a user's access token.
pub const USER_ERRORS: &[Code] = &[
    Code::AUTHENTICATION_REQUIRED,
    Code::INVALID_CREDENTIAL,
    Code::USER_TOKEN_REQUIRED,
    Code::RATE_LIMITED,
];
/// Whatever takes a superuser's access token.
pub const SUPERUSER_ERRORS: &[Code] = &[
    Code::AUTHENTICATION_REQUIRED,
    Code::INVALID_CREDENTIAL,
    Code::SUPERUSER_REQUIRED,
    Code::USER_TOKEN_REQUIRED,
    Code::RATE_LIMITED,
];
/// Whatever needs the database.
pub const ANY_ERRORS: &[Code] = &[Code::INTERNAL_ERROR, Code::SERVICE_UNAVAILABLE, Code::TIMED_OUT];

/// The responses of an [`ErrorList`], as `responses(…, Errors<Create>)`.
pub struct Errors<L>(PhantomData<L>);

impl<L: ErrorList> IntoResponses for Errors<L> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        error_responses(&L::CODES.concat(), L::fault)
    }
}

/// The responses of these errors, by status.
pub(super) fn error_responses(codes: &[Code], fault: fn() -> FieldError) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status().as_u16()).or_default().push(*code);
    }
    by_status
        .into_iter()
        .map(|(status, codes)| (status.to_string(), response(&codes, fault).into()))
        .collect()
}

/// A header that is a text.
pub(super) fn text_header(about: &str) -> Header {
    let header = HeaderBuilder::new().schema(Some(Object::with_type(Type::String)));
    header.description(Some(about)).build()
}

/// Adds errors to an operation that has perhaps some of the same status.
pub(crate) fn add_errors(operation: &mut Operation, codes: &[Code], fault: fn() -> FieldError) {
    for code in codes {
        let more = response(&[*code], fault);
        let status = code.status().as_u16().to_string();
        let there = operation
            .responses
            .responses
            .entry(status)
            .or_insert_with(|| response(&[*code], fault).into());
        let RefOr::T(there) = there else { continue };
        if !there.description.contains(&more.description) {
            there.description = format!("{} · {}", there.description, more.description);
        }
        for (kind, content) in more.content {
            if let (Some(RefOr::T(there)), RefOr::T(content)) = (there.content.get_mut(&kind), content) {
                for (name, example) in content.examples {
                    there.examples.entry(name).or_insert(example);
                }
            }
        }
    }
}

/// The response of one status, with an example of each code in both faces.
fn response(codes: &[Code], fault: fn() -> FieldError) -> Response {
    let status = codes[0].status();
    let lines: Vec<String> = codes
        .iter()
        .map(|code| format!("{} (`{}`)", code.title(), code.as_str()))
        .collect();
    let schema = if status == StatusCode::UNPROCESSABLE_ENTITY {
        ValidationErrorOut::name()
    } else {
        ErrorOut::name()
    };
    let content = |face: Face, schema: &str| {
        let examples = codes.iter().map(|code| {
            let body = problem::body(
                &ApiError::sample(*code, fault),
                face,
                "0198b5a0-6f3a-7c52-9d8e-5b1f0e4c2a77",
                DEFAULT_URL,
            );
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
            (
                code.as_str(),
                ExampleBuilder::new().summary(code.title()).value(Some(body)).build(),
            )
        });
        ContentBuilder::new()
            .schema(Some(Ref::from_schema_name(schema)))
            .examples_from_iter(examples)
            .build()
    };
    let mut response = ResponseBuilder::new()
        .description(lines.join(" · "))
        .content(problem::PLAIN, content(Face::Default, &schema))
        .content(problem::STRICT, content(Face::Strict, &ProblemOut::name()));
    for (name, header) in headers(status) {
        response = response.header(name, header);
    }
    response.build()
}

fn headers(status: StatusCode) -> impl Iterator<Item = (&'static str, Header)> {
    let headers: &[(&str, &str)] = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            &[("WWW-Authenticate", "What to send instead (RFC 6750 §3)")]
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => &[
            ("Accept-Encoding", "The content codings that a request body may have"),
            ("Accept-Patch", "The media types that a patch may have"),
        ],
        StatusCode::TOO_MANY_REQUESTS => &[
            ("Retry-After", "Seconds to wait"),
            ("RateLimit-Policy", "The limit: `q` requests in `w` seconds"),
            ("RateLimit", "What is left: `r` requests; all again in `t` seconds"),
        ],
        StatusCode::SERVICE_UNAVAILABLE => &[("Retry-After", "Seconds to wait")],
        _ => &[],
    };
    headers.iter().map(|(name, about)| {
        let kind = match *name {
            "Retry-After" => Type::Integer,
            _ => Type::String,
        };
        let header = HeaderBuilder::new().schema(Some(Object::with_type(kind)));
        (*name, header.description(Some(*about)).build())
    })
}

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        codes_schema(Self::ALL)
    }
}

/// The schema of a code that is one of these.
pub(crate) fn codes_schema(codes: &[Code]) -> RefOr<Schema> {
    let list: Vec<String> = codes
        .iter()
        .map(|code| format!("- `{}`: {}", code.as_str(), code.title()))
        .collect();
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(codes.iter().map(|code| code.as_str())))
        .description(Some(format!("What went wrong, as a stable word:\n{}", list.join("\n"))))
        .examples([json!(Code::EMAIL_EXISTS)])
        .into()
}

impl ToSchema for Code {
    fn name() -> std::borrow::Cow<'static, str> {
        "ErrorCode".into()
    }
}
