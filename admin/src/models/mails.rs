//! Mails in the admin: what was sent to whom, and what the mail server said. A body is shown only where mail is
//! kept in the database, and without what its links carry: who has those is as good as the mail's reader. Superusers
//! open them on a page of their own.

use super::registered::{Jobs, Mails, Users};
use usher_shared::{
    AppContext,
    foundation::{
        entity::mail::{COLUMN as C, Column, Entity, MailState},
        redact,
    },
};

use usher_admin_engine::{AdminModel, Answer, Field, Meta, Ordering, Panel, Row, Search, Staff, Tone};

impl AdminModel for Mails {
    type Entity = Entity;

    const META: Meta = Meta::new("mails", "mail", "mails")
        .section("Mail")
        .icon("mails")
        .about("Every mail, written down before it is sent.");

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
            Answer => Field::text(C.answer).label("Server's answer").readonly(),
            TextBody => Field::internal(TextBody),
            HtmlBody => Field::internal(HtmlBody),
            CreatedAt => Field::time(C.created_at).list().sort_by(Id).filter().readonly(),
            SentAt => Field::time(C.sent_at).list().readonly(),
        }
    }

    fn panels<'a>(app: &'a AppContext, row: &'a Row, staff: &'a Staff) -> Answer<'a, Vec<Panel>> {
        let body = Panel {
            title: "Body".to_owned(),
            wide: true,
            ..Panel::default()
        };
        let panel = if app.config.smtp_url.is_some() {
            Panel {
                empty: "Mail goes out by SMTP here, so its body is not kept.",
                ..body
            }
        } else {
            let html = row.text("html_body").and_then(|_| row.text("id"));
            let text = row.text("text_body");
            let has_links = text.as_ref().is_some_and(|text| redact::links(text) != *text);
            let whole = row.text("id").filter(|_| has_links && staff.is_superuser());
            Panel {
                empty: "No body was kept.",
                frame: html.map(|id| (format!("/admin/mails/{id}/body"), "The mail as HTML")),
                text: text.as_deref().map(redact::links),
                pages: whole
                    .map(|id| ("Show its links", format!("/admin/mails/{id}/links")))
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
