//! `usher doctor`: one line for each part that Usher depends on, and for each check of a product.

mod database;
mod files;
mod finding;
mod services;
mod staff;
mod work;

use std::time::Duration;

use anyhow::Result;
use sea_orm::DatabaseConnection;
use usher_shared::{
    AppContext,
    foundation::{
        config::Config,
        db::{self, PoolOptions},
    },
};

pub use self::finding::Finding;
use self::finding::Findings;
use crate::app::Run;

/// Usher's own parts, whose names no check of a product can have.
pub(crate) const PARTS: [&str; 18] = [
    "settings",
    "secret key",
    "folder",
    "database",
    "clock",
    "schema",
    "audit log",
    "staff",
    "foreign keys",
    "personal data",
    "purge",
    "workers",
    "dead jobs",
    "breaker",
    "redis",
    "mail",
    "files",
    "traces",
];

/// For one check of a product.
const LIMIT: Duration = Duration::from_secs(10);

/// A check of a product.
pub(crate) struct OwnCheck {
    pub(crate) name: &'static str,
    pub(crate) run: Run<(), Finding>,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(config: Config, checks: &[OwnCheck], args: &Args) -> Result<()> {
    examine(config, checks).await.report(args.json)
}

async fn examine(config: Config, checks: &[OwnCheck]) -> Findings {
    let mut findings = Findings::default();
    findings.add("settings", files::settings(&config));
    findings.add("secret key", files::secret_key(&config));
    findings.add("folder", files::folder(&config));
    let two = PoolOptions {
        max_connections: 2,
        ..PoolOptions::default()
    };
    let mut migrated = None;
    match db::connect(&config.database_url, &two).await {
        Err(error) => findings.add("database", Err::<String, _>(error)),
        Ok(db) => {
            findings.add("database", database::version(&db).await);
            findings.add("clock", database::clock(&db).await);
            let schema = db::check_schema(&db).await;
            let up_to_date = schema.is_ok();
            findings.add("schema", schema.map(|()| "up to date".to_owned()));
            if up_to_date {
                add_rows(&mut findings, &db, &config).await;
                migrated = Some(db);
            }
        }
    }
    findings.add("redis", services::redis(&config).await);
    #[cfg(feature = "worker")]
    findings.add("mail", services::mail(&config).await);
    findings.add("files", services::files(&config, migrated.as_ref()).await);
    findings.add("traces", services::traces(&config).await);
    if let Some(db) = migrated {
        add_own(&mut findings, &AppContext::with(config, db, false), checks).await;
    }
    findings
}

/// What the rows of Usher's tables say.
async fn add_rows(findings: &mut Findings, db: &DatabaseConnection, config: &Config) {
    findings.add("audit log", database::audit_log(db, config).await);
    findings.add("staff", staff::second_factors(db, config).await);
    findings.add("foreign keys", database::foreign_keys(db).await);
    findings.add("personal data", database::personal_data(db).await);
    findings.add("purge", database::purge(db).await);
    findings.add("workers", work::workers(db).await);
    findings.add("dead jobs", work::dead(db).await);
    findings.add("breaker", work::breakers(db).await);
}

/// What the product's own checks say.
async fn add_own(findings: &mut Findings, app: &AppContext, checks: &[OwnCheck]) {
    for check in checks {
        let found = tokio::time::timeout(LIMIT, (check.run)((), app.clone())).await;
        let unanswered = |_| Finding::Wrong(format!("no finding within {} s", LIMIT.as_secs()));
        findings.add(check.name, found.unwrap_or_else(unanswered));
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;
    use usher_testkit::{TestDb, config, on_both};

    use super::*;
    use crate::{App, Project};

    async fn shelves(app: AppContext) -> Result<Finding> {
        db::ping(&app.db).await?;
        Ok(Finding::Warning("two are full: build a third".to_owned()))
    }

    async fn lights(_: AppContext) -> Result<String> {
        bail!("nobody can read")
    }

    #[on_both]
    async fn checks_of_a_product_come_after_those_of_usher(db: TestDb) {
        let app = App::new("books").check("shelves", shelves).check("lights", lights);
        let parts = Project::new("library").app(app).assemble().unwrap();
        let findings = examine(config(db.url(), &[]), &parts.checks).await;
        let (of_usher, own) = findings.parts().split_at(PARTS.len());
        assert!(of_usher.iter().all(|(part, _)| PARTS.contains(part)), "{of_usher:?}");
        let expected = [
            ("shelves", Finding::Warning("two are full: build a third".to_owned())),
            ("lights", Finding::Wrong("nobody can read".to_owned())),
        ];
        assert_eq!(own, expected);
    }
}
