//! `usher doctor`: one line for each part that Usher depends on.

mod database;
mod files;
mod finding;
mod services;
mod staff;
mod work;

use anyhow::Result;
use usher_shared::foundation::{
    config::Config,
    db::{self, PoolOptions},
};

use self::finding::{Finding, State};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
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
    finding::report(&findings, args.json)
}
