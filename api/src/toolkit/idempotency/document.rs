//! Writes the header and its errors into the document of every operation that has them.

use utoipa::openapi::{
    Ref, RefOr, Required, Type,
    path::{Operation, Parameter, ParameterBuilder, ParameterIn},
    schema::ObjectBuilder,
};

use super::key::{MAX_KEY, WITHOUT};
use crate::toolkit::{code::Code, fields::FieldError, openapi::add_errors};

const ERRORS: &[Code] = &[
    Code::IDEMPOTENCY_IN_PROGRESS,
    Code::IDEMPOTENCY_KEY_REUSED,
    Code::INVALID_REQUEST,
];

/// Adds `Idempotency-Key` to every POST and PATCH that minds it.
pub(crate) fn describe(document: &mut utoipa::openapi::OpenApi) {
    let components = document.components.get_or_insert_default();
    components
        .parameters
        .insert("IdempotencyKey".to_owned(), parameter().into());
    let items = document.paths.paths.iter_mut();
    let items = items.filter(|(path, _)| !WITHOUT.contains(&path.as_str()));
    for operation in items.flat_map(|(_, item)| [&mut item.post, &mut item.patch]).flatten() {
        describe_one(operation);
    }
}

fn describe_one(operation: &mut Operation) {
    let reference = RefOr::Ref(Ref::new("#/components/parameters/IdempotencyKey"));
    operation.parameters.get_or_insert_default().push(reference);
    add_errors(operation, ERRORS, || {
        FieldError::in_header(
            "Idempotency-Key",
            "Send one Idempotency-Key of 1 to 255 visible ASCII characters",
        )
    });
}

fn parameter() -> Parameter {
    let about = "Makes it safe to send the request again: for 24 hours the same key with the same request gets the \
        first response, with `Idempotency-Replayed: true`, and nothing is done twice. Use a random UUID for each \
        operation. Responses that hold a secret are not kept; their repetition is 409 `answer_not_kept`.";
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(MAX_KEY))
        .pattern(Some("^[!-~]{1,255}$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(schema))
        .example(Some("6f1c8d5e-3b0a-4f2e-9a57-0c4b7d1e2f30".into()))
        .build()
}
