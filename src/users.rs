//! `usher user`: what is stored about people.

use anyhow::{Context, Result};
use clap::Subcommand;
use usher_shared::{accounts::users, foundation::config::Config};

use crate::{database, output};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print everything that is stored about a person, as JSON: the account, and the part of every app
    Export {
        /// The user's id, as in the admin's addresses
        id: i64,
    },
}

pub async fn run(config: &Config, command: Command) -> Result<()> {
    let Command::Export { id } = command;
    let db = database::open(config).await?;
    let exported = users::export(&db, id).await?;
    output::json(&exported.with_context(|| format!("there is no user {id}"))?);
    Ok(())
}
