//! The HTML of a mail that was kept in the database, as a document for a frame of its own, in which nothing runs
//! and nothing is loaded.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use sea_orm::EntityTrait;
use usher_shared::entity::mail;
use uuid::Uuid;

use crate::{error::AdminError, page, staff::Staff, state::AppState};

/// `sandbox` makes it a foreign origin without scripts and forms; its links open a page of their own. Mails
/// carry their style inline, and only style.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox";

/// The mail's own HTML, unescaped: the frame it is shown in is its cage.
#[derive(Template)]
#[template(path = "mail_body.html")]
struct MailBody {
    html: String,
}

/// `GET /admin/mails/{id}/body`
pub(crate) async fn show(
    State(state): State<AppState>,
    staff: Staff,
    Path(id): Path<String>,
) -> Result<Response, AdminError> {
    staff.require("mails.view")?;
    let id: Uuid = id.parse().map_err(|_| AdminError::NotFound)?;
    let mail = mail::Entity::find_by_id(id).one(&state.db).await?;
    let html = mail
        .filter(|_| state.config.smtp_url.is_none())
        .and_then(|mail| mail.html_body);
    let html = html.ok_or(AdminError::NotFound)?;
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
    ];
    Ok((headers, page::show(&MailBody { html })?).into_response())
}
