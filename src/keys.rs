//! `usher key`: keys of other services.

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel, QueryOrder};
use usher_shared::{
    Config,
    api_keys::{self, Scope},
    audit::{self, Actor, Entry},
    db,
    entity::api_key,
    time::now,
};

use crate::{database, say};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key and print it once
    Create {
        /// What it is for
        #[arg(long)]
        name: String,
        /// What it may do, separated by commas, or `all`
        #[arg(long, value_delimiter = ',', default_value = "users:read,users:write")]
        scopes: Vec<String>,
        #[arg(long)]
        json: bool,
    },
    /// List the keys
    List {
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key; it holds from the next request on
    Revoke {
        /// Its id, as `usher key list` shows it
        id: i64,
    },
}

pub async fn run(config: &Config, command: Command) -> Result<()> {
    let db = database::open(config).await?;
    match command {
        Command::Create { name, scopes, json } => {
            ensure!(
                !name.trim().is_empty(),
                "a key needs a name, for example --name billing"
            );
            let tx = db::begin(&db).await?;
            let (key, token) = api_keys::create(&tx, name.trim(), &parse_scopes(&scopes)?, None, None).await?;
            audit::record(&tx, &Actor::system(), entry("create", &key)).await?;
            tx.commit().await?;
            if json {
                say::json(
                    &serde_json::json!({"id": key.id, "name": key.name, "scopes": key.scopes, "key": token.as_str()}),
                );
            } else {
                say::line(token.as_str());
            }
            Ok(())
        }
        Command::List { json } => {
            let keys = api_key::Entity::find()
                .order_by_asc(api_key::Column::Id)
                .all(&db)
                .await?;
            if json {
                say::json(&keys.iter().map(as_json).collect());
            } else {
                let heading = ["ID", "KEY", "NAME", "SCOPES", "STATE"].map(str::to_owned).to_vec();
                say::table(
                    &std::iter::once(heading)
                        .chain(keys.iter().map(as_row))
                        .collect::<Vec<_>>(),
                );
            }
            Ok(())
        }
        Command::Revoke { id } => {
            let tx = db::begin(&db).await?;
            let key = api_key::Entity::find_by_id(id).one(&tx).await?;
            let key = key.with_context(|| format!("there is no key {id}; `usher key list` shows them"))?;
            if key.revoked_at.is_some() {
                bail!("key {id} is revoked already");
            }
            audit::record(&tx, &Actor::system(), entry("revoke", &key)).await?;
            let version = key.version + 1;
            let mut row = key.into_active_model();
            row.revoked_at = Set(Some(now()));
            row.version = Set(version);
            row.update(&tx).await?;
            tx.commit().await?;
            say::line(format_args!("Key {id} is revoked."));
            Ok(())
        }
    }
}

fn parse_scopes(words: &[String]) -> Result<Vec<Scope>> {
    if words == ["all"] {
        return Ok(Scope::ALL.to_vec());
    }
    let known = Scope::ALL.map(Scope::as_str).join(", ");
    words
        .iter()
        .map(|word| {
            Scope::parse(word.trim()).with_context(|| format!("{word:?} is no scope; there are {known}, or all"))
        })
        .collect()
}

fn entry<'a>(action: &'a str, key: &api_key::Model) -> Entry<'a> {
    Entry {
        action,
        object_type: "api_key",
        object_id: Some(key.id.to_string()),
        object_label: Some(format!("{} ({}…)", key.name, key.hint)),
        ..Entry::default()
    }
}

fn state(key: &api_key::Model) -> &'static str {
    match (key.revoked_at, key.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(end)) if end <= now() => "expired",
        _ => "active",
    }
}

fn as_row(key: &api_key::Model) -> Vec<String> {
    vec![
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
