//! Tickets: what customers ask, who answers, and until when.

use usher::{App, accounts::user_data::UserData, admin::models::Users, worker::Policy};

mod admin;
mod api;
mod commands;
mod jobs;
mod migrations;
mod rules;
mod settings;
pub mod tag;
pub mod ticket;
pub mod ticket_tag;

pub use api::{READ, TicketsRead, TicketsWrite, WRITE};
pub use jobs::{MarkOverdue, TicketOpened};

/// Everything that tickets add to Usher.
pub fn app() -> App {
    App::new("tickets")
        .migrations(migrations::ALL)
        .settings::<settings::Settings>()
        .scopes([READ, WRITE])
        .tag("Tickets", "What customers ask, and how it goes on")
        .error_codes(&[api::TICKET_CLOSED])
        .api(api::router)
        .admin::<ticket::Entity>()
        .admin::<tag::Entity>()
        .inline::<Users, ticket::Entity>(ticket::Column::RequesterId)
        .user_data(
            UserData::of("tickets")
                .delete(ticket::Column::RequesterId)
                .anonymize(ticket::Column::AssigneeId)
                .export(api::export),
        )
        .bulk::<admin::Close>()
        .page(admin::board())
        .card(admin::card())
        .entity::<ticket_tag::Entity>()
        .job::<TicketOpened>(Policy::DEFAULT, jobs::ticket_opened)
        .job::<MarkOverdue>(Policy::DEFAULT, jobs::mark_overdue)
        .schedule("mark_overdue_tickets", "0 * * * *", &MarkOverdue {})
        .seed(commands::seed)
        .command("close-old-tickets", commands::close_old)
}
