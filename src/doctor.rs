//! `usher doctor`: one line for each part that Usher stands on.

mod database;
mod files;
mod services;
mod staff;
mod work;

use anyhow::{Result, bail};
use usher_shared::foundation::{
    config::Config,
    db::{self, PoolOptions},
};

use crate::say;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long)]
    json: bool,
}

/// How a part is. What is wrong makes the command fail; a warning is for somebody to decide.
enum State {
    Ok(String),
    Warning(String),
    Wrong(String),
}

/// One part: its name, and what is good or wrong with it.
struct Finding {
    part: &'static str,
    state: State,
}

/// For what is good or wrong, with nothing between.
impl<E: std::fmt::Display> From<Result<String, E>> for State {
    fn from(result: Result<String, E>) -> Self {
        match result {
            Ok(text) => Self::Ok(text),
            Err(error) => Self::Wrong(error.to_string()),
        }
    }
}

pub async fn run(config: Config, args: &Args) -> Result<()> {
    let mut findings = Vec::new();
    let mut find = |part, state| findings.push(Finding { part, state });
    find("settings", State::Ok("readable".to_owned()));
    find("secret key", files::secret_key(&config));
    find("folder", files::folder(&config));
    let two = PoolOptions {
        max_connections: 2,
        ..PoolOptions::default()
    };
    match db::connect(&config.database_url, &two).await {
        Err(error) => find("database", State::Wrong(error.to_string())),
        Ok(db) => {
            find("database", database::version(&db).await);
            find("clock", database::clock(&db).await);
            let schema = db::check_schema(&db).await;
            let up_to_date = schema.is_ok();
            find("schema", schema.map(|()| "up to date".to_owned()).into());
            if up_to_date {
                find("audit log", database::audit_log(&db, &config).await);
                find("staff", staff::second_factors(&db, &config).await);
                find("foreign keys", database::foreign_keys(&db).await);
                find("purge", database::purge(&db).await);
                find("workers", work::workers(&db).await);
                find("dead jobs", work::dead(&db).await);
                find("breaker", work::breakers(&db).await);
            }
        }
    }
    find("redis", services::redis(&config).await);
    find("mail", services::mail(&config).await);
    find("traces", services::traces(&config).await);
    tell(&findings, args.json)
}

/// Prints what was found; the error says that something is wrong.
fn tell(findings: &[Finding], json: bool) -> Result<()> {
    let wrong = findings
        .iter()
        .filter(|finding| matches!(finding.state, State::Wrong(_)));
    let wrong = wrong.count();
    if json {
        let rows: Vec<_> = findings.iter().map(as_json).collect();
        say::json(&serde_json::json!({"ok": wrong == 0, "parts": rows}));
    } else {
        for Finding { part, state } in findings {
            match state {
                State::Ok(text) => say::line(format_args!("ok     {part:<12} {text}")),
                State::Warning(text) => say::line(format_args!("warn   {part:<12} {text}")),
                State::Wrong(text) => say::line(format_args!("WRONG  {part:<12} {text}")),
            }
        }
    }
    if wrong > 0 {
        bail!("{wrong} of {} parts need attention", findings.len());
    }
    Ok(())
}

fn as_json(Finding { part, state }: &Finding) -> serde_json::Value {
    let (word, text) = match state {
        State::Ok(text) => ("ok", text),
        State::Warning(text) => ("warning", text),
        State::Wrong(text) => ("wrong", text),
    };
    serde_json::json!({"part": part, "ok": word != "wrong", "state": word, "text": text})
}
