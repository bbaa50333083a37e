//! `usher doctor`: one line for each part that Usher stands on.

use std::time::Duration;

use anyhow::{Result, bail};
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait, PaginatorTrait, Statement};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    time::timeout,
};
use usher_shared::{
    Config, audit,
    db::{self, PoolOptions},
    entity, jobs,
};

use crate::say;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long)]
    json: bool,
}

/// One part: its name, and what is good or wrong with it.
struct Finding {
    part: &'static str,
    state: Result<String, String>,
}

pub async fn run(config: Config, args: &Args) -> Result<()> {
    let mut findings = vec![Finding {
        part: "settings",
        state: Ok("readable".to_owned()),
    }];
    match db::connect(
        &config.database_url,
        &PoolOptions {
            max_connections: 2,
            ..PoolOptions::default()
        },
    )
    .await
    {
        Ok(db) => {
            findings.push(Finding {
                part: "database",
                state: version(&db).await,
            });
            let schema = db::check_schema(&db)
                .await
                .map(|()| "up to date".to_owned())
                .map_err(|error| error.to_string());
            let up_to_date = schema.is_ok();
            findings.push(Finding {
                part: "schema",
                state: schema,
            });
            if up_to_date {
                findings.push(Finding {
                    part: "audit log",
                    state: audit_log(&db, &config).await,
                });
            }
        }
        Err(error) => findings.push(Finding {
            part: "database",
            state: Err(error.to_string()),
        }),
    }
    findings.push(Finding {
        part: "redis",
        state: redis(&config).await,
    });
    findings.push(Finding {
        part: "mail",
        state: mail(&config).await,
    });

    let wrong = findings.iter().filter(|finding| finding.state.is_err()).count();
    if args.json {
        let rows: Vec<_> = findings.iter().map(as_json).collect();
        say::json(&serde_json::json!({"ok": wrong == 0, "parts": rows}));
    } else {
        for Finding { part, state } in &findings {
            match state {
                Ok(text) => say::line(format_args!("ok     {part:<9} {text}")),
                Err(text) => say::line(format_args!("WRONG  {part:<9} {text}")),
            }
        }
    }
    if wrong > 0 {
        bail!("{wrong} of {} parts need attention", findings.len());
    }
    Ok(())
}

async fn version(db: &DatabaseConnection) -> Result<String, String> {
    let backend = db.get_database_backend();
    let (name, query) = match backend {
        sea_orm::DbBackend::Sqlite => ("SQLite", "SELECT sqlite_version() AS version"),
        _ => ("PostgreSQL", "SELECT current_setting('server_version') AS version"),
    };
    let row = db
        .query_one_raw(Statement::from_string(backend, query))
        .await
        .map_err(|error| error.to_string())?;
    let version: Option<String> = row.and_then(|row| row.try_get("", "version").ok());
    Ok(format!("{name} {}", version.unwrap_or_default()))
}

/// Whether anybody changed the audit log behind Usher's back.
async fn audit_log(db: &DatabaseConnection, config: &Config) -> Result<String, String> {
    let rows = entity::audit_log::Entity::find().count(db).await;
    let bar = say::progress(rows.map_err(|error| error.to_string())?, "audit log");
    let verdict = audit::verify(db, &config.secret_key, |done| bar.set_position(done)).await;
    bar.finish_and_clear();
    let verdict = verdict.map_err(|error| error.to_string())?;
    if verdict.faults.is_empty() {
        let head = if verdict.head.is_empty() {
            "none yet"
        } else {
            &verdict.head
        };
        Ok(format!(
            "{} rows, {} of them sealed, head {head}",
            verdict.rows, verdict.sealed
        ))
    } else {
        Err(verdict.faults.join("; "))
    }
}

async fn redis(config: &Config) -> Result<String, String> {
    let Some(url) = &config.redis_url else {
        return Ok("not set: one process uses its own memory, separate workers poll the ledger".to_owned());
    };
    let client = redis_client(url)?;
    jobs::connect(Some(&client), false)
        .ping()
        .await
        .map(|()| "answers".to_owned())
        .map_err(|error| error.to_string())
}

fn redis_client(url: &str) -> Result<redis::Client, String> {
    redis::Client::open(url).map_err(|error| error.to_string())
}

/// Whether the mail server greets; nothing is sent.
async fn mail(config: &Config) -> Result<String, String> {
    let Some(url) = &config.smtp_url else {
        return Ok("not set: mail is kept in the database".to_owned());
    };
    let url = url::Url::parse(url).map_err(|error| error.to_string())?;
    let implicit_tls = url.scheme() == "smtps";
    let port = url.port().unwrap_or(if implicit_tls { 465 } else { 25 });
    let place = format!("{}:{port}", url.host_str().unwrap_or_default());
    let limit = Duration::from_secs(5);
    let stream = timeout(limit, TcpStream::connect(&place)).await;
    let stream = stream
        .map_err(|_| format!("{place} does not answer"))?
        .map_err(|error| format!("{place}: {error}"))?;
    if implicit_tls {
        return Ok(format!("{place} accepts connections"));
    }
    let mut greeting = String::new();
    let read = timeout(limit, BufReader::new(stream).read_line(&mut greeting)).await;
    match read {
        Ok(Ok(_)) if greeting.starts_with("220") => Ok(format!("{place} greets")),
        _ => Err(format!("{place} is open but does not greet as a mail server does")),
    }
}

fn as_json(finding: &Finding) -> serde_json::Value {
    let (ok, text) = match &finding.state {
        Ok(text) => (true, text),
        Err(text) => (false, text),
    };
    serde_json::json!({"part": finding.part, "ok": ok, "text": text})
}
