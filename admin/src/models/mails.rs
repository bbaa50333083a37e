//! Emails: what was sent to whom, and how the mail server responded. Content is shown only where email is kept in the
//! database instead of sent, and without the tokens in its links, which would let the viewer act as the recipient.
//! Superusers see them on a separate page.

use super::registered::{Jobs, Mails, Users};
use crate::texts;
use usher_shared::{
    AppContext,
    audit::ObjectType,
    foundation::{
        entity::mail::{COLUMN as C, Column, Entity, MailState},
        redact,
    },
};

use usher_admin_engine::{AdminModel, Field, HookFuture, Meta, Ordering, Panel, Row, Search, Staff, Tone};

impl AdminModel for Mails {
    type Entity = Entity;

    const META: Meta = Meta::new("mails", "email", "emails")
        .object_type_of(ObjectType::Mail.as_str())
        .section("Mail")
        .icon("mails")
        .about("Every email sent or attempted.");

    fn ordering() -> Ordering<Entity> {
        Ordering::descending(Column::CreatedAt)
    }

    fn field(column: Column) -> Field<Entity> {
        use Column::*;
        match column {
            Id => Field::id(C.id),
            JobId => Field::foreign_key::<Jobs>(C.job_id).readonly(),
            Kind => Field::text(C.kind).list().scanned_filter().readonly(),
            UserId => Field::foreign_key::<Users>(C.user_id).filter().readonly(),
            ToAddress => Field::text(C.to_address)
                .address()
                .label("To")
                .list()
                .search(Search::Prefix {
                    key_column: ToAddress,
                    key: str::to_owned,
                })
                .readonly(),
            Subject => Field::text(C.subject).link().readonly(),
            State => Field::choice(C.state, tone).list().filter().readonly(),
            MessageId => Field::text(C.message_id).label("Message-ID").readonly(),
            Answer => Field::text(C.answer).label(texts::emails::SERVER_RESPONSE).readonly(),
            TextBody => Field::internal(TextBody),
            HtmlBody => Field::internal(HtmlBody),
            CreatedAt => Field::time(C.created_at).list().sort_by(Id).filter().readonly(),
            SentAt => Field::time(C.sent_at).list().readonly(),
        }
    }

    fn panels<'a>(app: &'a AppContext, row: &'a Row, staff: &'a Staff) -> HookFuture<'a, Vec<Panel>> {
        let body = Panel {
            title: "Content".to_owned(),
            wide: true,
            ..Panel::default()
        };
        let panel = if app.config.smtp_url.is_some() {
            Panel {
                empty: "Emails are sent over SMTP here, so their content isn't stored.",
                ..body
            }
        } else {
            let html = row.text("html_body").and_then(|_| row.text("id"));
            let text = row.text("text_body");
            let has_links = text.as_ref().is_some_and(|text| redact::links(text) != *text);
            let whole = row.text("id").filter(|_| has_links && staff.is_superuser());
            Panel {
                empty: "No content was stored.",
                frame: html.map(|id| (format!("/admin/mails/{id}/body"), "HTML version")),
                text: text.as_deref().map(redact::links),
                pages: whole
                    .map(|id| ("Show links", format!("/admin/mails/{id}/links")))
                    .into_iter()
                    .collect(),
                ..body
            }
        };
        Box::pin(async { Ok(vec![panel]) })
    }
}

/// Also for the panels of other models.
pub(super) fn tone(state: &MailState) -> Tone {
    match state {
        MailState::Reserved => Tone::Busy,
        MailState::Sent | MailState::Kept => Tone::Good,
        MailState::Failed => Tone::Bad,
        MailState::Unknown => Tone::Warning,
    }
}
