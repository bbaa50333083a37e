//! Settings of tickets: environment variables, and flags of the same name.

use clap::Args;

#[derive(Args)]
#[command(next_help_heading = "Tickets")]
pub struct Settings {
    /// Hours until a new ticket is due
    #[arg(long, env, value_name = "48", default_value_t = 48)]
    pub ticket_due_hours: u16,
}
