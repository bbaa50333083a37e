//! Attachments: files of tickets.

use usher::{App, SqlMigration};

use crate::tickets::ticket;

mod admin;
mod api;
pub mod attachment;

const MIGRATIONS: &[SqlMigration] = &[SqlMigration::new("m20261202_000001_attachments", UP, DOWN)];

const UP: &str = "
CREATE TABLE attachments (
    id         {id},
    ticket_id  bigint NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    file_id    {uuid} NOT NULL UNIQUE REFERENCES stored_files (id),
    created_at {time} NOT NULL
);
CREATE INDEX attachments_ticket_idx ON attachments (ticket_id, id);
";

const DOWN: &str = "DROP TABLE attachments;";

/// Everything that attachments add to tickets.
pub fn app() -> App {
    App::new("attachments")
        .migrations(MIGRATIONS)
        .entity::<attachment::Entity>()
        .api(api::router)
        .page(admin::page())
        .extend_admin(|admin| admin.panels::<ticket::Entity>(|app, row, _| Box::pin(admin::panel(app, row))))
}
