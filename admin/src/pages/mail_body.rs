//! The content of an email that was kept in the database: its HTML without the tokens in its links, for a sandboxed
//! frame that runs and loads nothing; and, for superusers, its links, which give access to the recipient's account.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use sea_orm::{DbErr, EntityTrait};
use usher_shared::{
    audit::{self, Actor, Entry, ObjectType},
    foundation::{entity::mail, redact},
};
use uuid::Uuid;

use crate::texts;
use usher_admin_engine::{AdminContext, AdminError, Shell, Staff, Visit, page};

/// `sandbox` makes it a foreign origin without scripts and forms; its links open a page of their own. Mails
/// carry their style inline, and only style.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox";

/// The email's own HTML, unescaped: the frame is sandboxed.
#[derive(Template)]
#[template(path = "mail_body.html")]
struct MailBody {
    html: String,
}

#[derive(Template)]
#[template(path = "mail_links.html")]
struct MailLinks {
    shell: Shell,
    subject: String,
    to: String,
    text: String,
    links: Vec<String>,
    mail_href: String,
}

/// `GET /admin/mails/{id}/body`
pub(crate) async fn show(
    State(state): State<AdminContext>,
    visit: Visit,
    staff: Staff,
    Path(id): Path<String>,
) -> Result<Response, AdminError> {
    staff.require("mails.view")?;
    let mail = kept(&state, &id).await?;
    let html = mail.html_body.as_deref().ok_or(AdminError::NotFound)?;
    record(&state, &staff.actor(&visit), &mail, "view_body").await?;
    let html = redact::links(html);
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
    ];
    Ok((headers, page::show(&MailBody { html })?).into_response())
}

/// `GET /admin/mails/{id}/links`: each view is recorded, because the links give access to the account.
pub(crate) async fn links(
    State(state): State<AdminContext>,
    visit: Visit,
    staff: Staff,
    Path(id): Path<String>,
) -> Result<Response, AdminError> {
    staff.require("mails.view")?;
    if !staff.is_superuser() {
        let words = texts::emails::LINKS_FORBIDDEN;
        return Err(AdminError::Forbidden(words.to_owned()));
    }
    staff.require_fresh(&visit, None)?;
    let mail = kept(&state, &id).await?;
    let text = mail.text_body.clone().ok_or(AdminError::NotFound)?;
    record(&state, &staff.actor(&visit), &mail, "view_links").await?;
    let links = text
        .split_whitespace()
        .filter(|word| word.starts_with("http") && redact::links(word) != **word);
    let mail_href = format!("/admin/mails/{}", mail.id);
    page::show(&MailLinks {
        shell: Shell::new(&state, &visit, &staff, texts::emails::LINKS_TITLE)
            .crumb(texts::emails::TITLE, "/admin/mails")
            .crumb(mail.subject.clone(), mail_href.clone())
            .here("Links"),
        subject: mail.subject,
        to: mail.to_address,
        links: links.map(str::to_owned).collect(),
        mail_href,
        text,
    })
}

/// Notes who looked at the email. Committed before anything of it is shown.
async fn record(state: &AdminContext, actor: &Actor, mail: &mail::Model, action: &str) -> Result<(), DbErr> {
    let label = format!("{} to {}", mail.subject, mail.to_address);
    audit::record(&state.db, actor, Entry::about(ObjectType::Mail, mail.id, label, action)).await
}

/// The email, if emails are kept instead of sent.
async fn kept(state: &AdminContext, id: &str) -> Result<mail::Model, AdminError> {
    let id: Uuid = id.parse().map_err(|_| AdminError::NotFound)?;
    let mail = mail::Entity::find_by_id(id).one(&state.db).await?;
    mail.filter(|_| state.config.smtp_url.is_none())
        .ok_or(AdminError::NotFound)
}
