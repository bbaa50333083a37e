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

use self::finding::Findings;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(config: Config, args: &Args) -> Result<()> {
    let mut findings = Findings::default();
    findings.add("settings", files::settings(&config));
    findings.add("secret key", files::secret_key(&config));
    findings.add("folder", files::folder(&config));
    let two = PoolOptions {
        max_connections: 2,
        ..PoolOptions::default()
    };
    match db::connect(&config.database_url, &two).await {
        Err(error) => findings.add("database", Err::<String, _>(error)),
        Ok(db) => {
            findings.add("database", database::version(&db).await);
            findings.add("clock", database::clock(&db).await);
            let schema = db::check_schema(&db).await;
            let up_to_date = schema.is_ok();
            findings.add("schema", schema.map(|()| "up to date".to_owned()));
            if up_to_date {
                findings.add("audit log", database::audit_log(&db, &config).await);
                findings.add("staff", staff::second_factors(&db, &config).await);
                findings.add("foreign keys", database::foreign_keys(&db).await);
                findings.add("personal data", database::personal_data(&db).await);
                findings.add("purge", database::purge(&db).await);
                findings.add("workers", work::workers(&db).await);
                findings.add("dead jobs", work::dead(&db).await);
                findings.add("breaker", work::breakers(&db).await);
            }
        }
    }
    findings.add("redis", services::redis(&config).await);
    findings.add("mail", services::mail(&config).await);
    findings.add("files", services::files(&config).await);
    findings.add("traces", services::traces(&config).await);
    findings.report(args.json)
}
