//! `usher key`: API keys.

use anyhow::{Context, Result, anyhow, bail};
use clap::Subcommand;
use sea_orm::{EntityTrait, QueryOrder};
use usher_shared::{
    accounts::api_keys::{self, NewKey, Scope},
    audit::Actor,
    foundation::{config::Config, entity::api_key, program::Program, rules::Name, time::now},
};

use crate::{database, output};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a key and print it once
    Create {
        /// What the key is for
        #[arg(long)]
        name: String,
        /// Scopes, separated by commas, or `all`
        #[arg(long, value_delimiter = ',', default_value = "users:read,users:write")]
        scopes: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List API keys
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key; it is rejected immediately
    Revoke {
        /// The key's id, as shown by `usher key list`
        id: i64,
    },
}

pub async fn run(config: &Config, command: Command) -> Result<()> {
    let db = database::open(config).await?;
    match command {
        Command::Create { name, scopes, json } => {
            let name =
                Name::parse(&name).map_err(|violation| anyhow!("{}, for example --name billing", violation.message))?;
            let new = NewKey::plain(name, parse_scopes(&scopes)?);
            let tx = database::job_store(&db).begin().await?;
            let (key, token) = api_keys::issue(&tx, new, None, &Actor::system()).await?;
            tx.commit().await?;
            if json {
                output::json(
                    &serde_json::json!({"id": key.id, "name": key.name, "scopes": key.scopes, "key": token.as_str()}),
                );
            } else {
                output::line(token.as_str());
            }
            Ok(())
        }
        Command::List { json } => {
            let keys = api_key::Entity::find()
                .order_by_asc(api_key::Column::Id)
                .all(&db)
                .await?;
            if json {
                output::json(&keys.iter().map(as_json).collect());
            } else {
                output::table(["ID", "KEY", "NAME", "SCOPES", "STATE"], keys.iter().map(as_row));
            }
            Ok(())
        }
        Command::Revoke { id } => {
            let tx = database::job_store(&db).begin().await?;
            let key = api_keys::find_for_change(&tx, id).await?;
            let key = key.with_context(|| {
                format!(
                    "there is no key {id}; `{} key list` shows them",
                    Program::current().name
                )
            })?;
            if key.revoked_at.is_some() {
                bail!("key {id} is already revoked");
            }
            api_keys::revoke(&tx, key, None, &Actor::system()).await?;
            tx.commit().await?;
            output::line(format_args!("Revoked key {id}."));
            Ok(())
        }
    }
}

fn parse_scopes(words: &[String]) -> Result<Vec<Scope>> {
    if words == ["all"] {
        return Ok(Scope::all().collect());
    }
    let known = Scope::words();
    words
        .iter()
        .map(|word| Scope::parse(word.trim()).with_context(|| format!("{word:?} is not a scope; use {known}, or all")))
        .collect()
}

fn state(key: &api_key::Model) -> &'static str {
    match (key.revoked_at, key.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(end)) if end <= now() => "expired",
        _ => "active",
    }
}

fn as_row(key: &api_key::Model) -> [String; 5] {
    [
        key.id.to_string(),
        format!("{}…", key.hint),
        key.name.clone(),
        key.scopes.clone(),
        state(key).to_owned(),
    ]
}

fn as_json(key: &api_key::Model) -> serde_json::Value {
    serde_json::json!({
        "id": key.id, "hint": key.hint, "name": key.name, "state": state(key),
        "scopes": key.scopes.split(' ').collect::<Vec<_>>(), "last_used_at": key.last_used_at,
    })
}
