//! The answer to a request for a mail, which is the same whether the address has an account or not.

use axum::{Json, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

/// What is done about an address, which is the same whether somebody here has it or not.
#[derive(Serialize, ToSchema)]
#[schema(as = Accepted)]
pub(crate) struct AcceptedOut {
    #[schema(example = "If the address is one we can write to, a mail is on its way")]
    detail: &'static str,
}

/// The answer to whoever asks for a mail.
pub(crate) const ACCEPTED: (StatusCode, Json<AcceptedOut>) = (
    StatusCode::ACCEPTED,
    Json(AcceptedOut {
        detail: "If the address is one we can write to, a mail is on its way",
    }),
);
