//! `usher staff`: staff accounts, managed by anyone who can reach the database.

use std::io::{self, BufRead};

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};
use usher_shared::{
    accounts::{
        password_hash,
        users::{self, CreateUserError},
    },
    audit::Actor,
    foundation::{
        config::Config,
        db,
        entity::user,
        program::Program,
        rules::{Email, Name},
    },
};

use crate::{
    bootstrap::{acceptable, readable_secret},
    database, output,
};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a staff account and print its password once
    Create {
        email: String,
        #[arg(long, default_value = "Staff")]
        name: String,
        /// Grant every permission; others get theirs from roles
        #[arg(long)]
        superuser: bool,
        /// Read the password from standard input instead of generating one
        #[arg(long)]
        password_stdin: bool,
    },
    /// List staff accounts
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Set a new password, print it once, and end the account's sessions and emailed links
    SetPassword {
        email: String,
        /// Read the password from standard input instead of generating one
        #[arg(long)]
        password_stdin: bool,
    },
}

pub async fn run(config: &Config, command: Command) -> Result<()> {
    let db = database::open(config).await?;
    match command {
        Command::Create {
            email,
            name,
            superuser,
            password_stdin,
        } => {
            let email =
                Email::parse(&email, config.email_policy).map_err(|violation| anyhow::anyhow!(violation.message))?;
            let name = Name::parse(&name).map_err(|violation| anyhow::anyhow!(violation.message))?;
            let (raw, shown) = choose(password_stdin)?;
            let own = config.known_words(&[name.as_str(), email.as_str()]);
            let hash = password_hash::hash(&acceptable(&raw, &own)?).await?;
            let tx = db::begin(&db).await?;
            let made = if superuser {
                users::create_superuser(&tx, &name, &email, hash).await
            } else {
                users::create_staff(&tx, &name, &email, hash).await
            };
            let user = match made {
                Err(CreateUserError::EmailTaken) => {
                    drop(tx);
                    bail!(
                        "{} already has an account; {}",
                        email.as_str(),
                        advice(&db, &email).await?
                    )
                }
                user => user?,
            };
            tx.commit().await?;
            print_account("Created the account of", &user, shown.then_some(&raw));
        }
        Command::List { json } => {
            let staff = user::Entity::find()
                .filter(user::Column::IsStaff.eq(true))
                .order_by_asc(user::Column::Id)
                .all(&db)
                .await?;
            if json {
                output::json(&staff.iter().map(as_json).collect());
            } else {
                output::table(
                    ["ID", "EMAIL", "NAME", "RIGHTS", "LAST SIGN-IN"],
                    staff.iter().map(as_row),
                );
            }
        }
        Command::SetPassword { email, password_stdin } => {
            let user = users::find_by_email_key(&db, &Email::key_of(&email)).await?;
            let user = user.with_context(|| format!("there is no account with the address {email}"))?;
            ensure!(
                user.is_staff,
                "{email} isn't a staff account: send its owner a link with \"Send password reset\" in the admin"
            );
            let (raw, shown) = choose(password_stdin)?;
            let own = config.known_words(&[&user.name, &user.email]);
            let hash = password_hash::hash(&acceptable(&raw, &own)?).await?;
            let tx = database::job_store(&db).begin().await?;
            let held = users::find_for_change(&tx, user.id).await?;
            let held = held.with_context(|| format!("the account with the address {email} was deleted"))?;
            users::replace_password(&tx, &held, hash, None, &Actor::system()).await?;
            tx.commit().await?;
            print_account("Set the password of", &user, shown.then_some(&raw));
        }
    }
    Ok(())
}

/// What to do with the account that has the address.
async fn advice(db: &DatabaseConnection, email: &Email) -> Result<String> {
    let user = users::find_by_email_key(db, email.key()).await?;
    Ok(match user {
        Some(user) if user.deleted_at.is_some() => "it was deleted; \"Restore\" in the admin brings it back".to_owned(),
        Some(user) if user.is_staff => format!("`{} staff set-password` sets its password", Program::current().name),
        _ => "\"Set roles\" in the admin makes it a staff account".to_owned(),
    })
}

/// The password to set, and whether it was generated and must be shown.
fn choose(from_stdin: bool) -> Result<(String, bool)> {
    if !from_stdin {
        return Ok((readable_secret(), true));
    }
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .context("cannot read the password from standard input")?;
    Ok((line.trim_end_matches(['\n', '\r']).to_owned(), false))
}

fn print_account(what: &str, user: &user::Model, raw: Option<&String>) {
    output::line(format_args!("{what} {}.", user.email));
    if let Some(raw) = raw {
        output::line(format_args!("Password, shown only once: {raw}"));
    }
}

fn rights(user: &user::Model) -> &'static str {
    if user.is_superuser { "superuser" } else { "by role" }
}

fn as_row(user: &user::Model) -> [String; 5] {
    let last = user
        .last_login_at
        .map_or_else(|| "never".to_owned(), |at| at.format("%Y-%m-%d %H:%M").to_string());
    [
        user.id.to_string(),
        user.email.clone(),
        user.name.clone(),
        rights(user).to_owned(),
        last,
    ]
}

fn as_json(user: &user::Model) -> serde_json::Value {
    serde_json::json!({
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "rights": rights(user),
        "last_login_at": user.last_login_at,
    })
}
