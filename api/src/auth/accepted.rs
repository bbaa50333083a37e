//! The answer to a request for a mail, which is the same whether the address has an account or not.

use axum::{Json, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

const MAIL_ON_ITS_WAY: &str = "If the address can receive mail, an email is on its way";

/// What happens with an address, the same whether it has an account or not.
#[derive(Serialize, ToSchema)]
#[schema(as = Accepted)]
pub(crate) struct AcceptedOut {
    #[schema(example = json!(MAIL_ON_ITS_WAY))]
    detail: &'static str,
}

/// The answer to every request for a mail.
pub(crate) const ACCEPTED: (StatusCode, Json<AcceptedOut>) = (
    StatusCode::ACCEPTED,
    Json(AcceptedOut {
        detail: MAIL_ON_ITS_WAY,
    }),
);
