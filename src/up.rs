//! `usher up`: the whole house in one process. It migrates first, and greets an empty database with its first accounts.

use anyhow::{Context, Result};
use tokio::task::JoinSet;
use usher_shared::{
    AppContext,
    foundation::{
        config::Config,
        db::{self, PoolOptions},
        log, process, trace,
    },
};

use crate::{
    bootstrap::{self, Made, Missing},
    migrate, say,
};

pub async fn run(config: Config) -> Result<()> {
    log::init(config.log_format);
    let _traces = trace::start(&config, "usher")?;
    let api = process::bind(config.api_addr, "API_ADDR").await?;
    let admin = process::bind(config.admin_addr, "ADMIN_ADDR").await?;
    let db = db::connect(
        &config.database_url,
        &PoolOptions {
            create: true,
            ..PoolOptions::default()
        },
    )
    .await?;
    migrate::up(&db)
        .await
        .context("the schema cannot be brought up to date")?;
    let made = bootstrap::first_accounts(&db, &config.first, Missing::Generate).await?;
    let app = AppContext::with(config, db, true);
    greet(&app, &made);

    let shutdown = process::shutdown_signal();
    let mut rooms = JoinSet::new();
    let (part, stop) = (app.clone(), shutdown.clone());
    rooms.spawn(async move {
        usher_api::serve(&part, api, stop).await;
        Ok(())
    });
    let (part, stop) = (app.clone(), shutdown.clone());
    rooms.spawn(async move {
        usher_admin::serve(&part, admin, stop).await;
        Ok(())
    });
    let (part, stop) = (app.clone(), shutdown.clone());
    rooms.spawn(async move {
        usher_worker::run(&part, usher_worker::Options::default(), stop)
            .await
            .context("the worker ended")
    });

    let mut outcome = Ok(());
    while let Some(ended) = rooms.join_next().await {
        // One room that ends takes the application down: half a house helps nobody.
        shutdown.cancel();
        outcome = outcome.and(ended.context("a room panicked").and_then(|ended| ended));
    }
    outcome
}

fn greet(app: &AppContext, made: &Made) {
    let config = &app.config;
    let on_sqlite = config
        .database_url
        .strip_prefix("sqlite://")
        .map(|path| path.split('?').next().unwrap_or(path));
    let database = on_sqlite.map_or_else(|| "PostgreSQL".to_owned(), |path| format!("SQLite in {path}"));
    let queue = app.job_store.transport().name();
    let mail = if config.smtp_url.is_some() {
        "mail goes out by SMTP"
    } else {
        "mail is kept in the admin under Mails"
    };
    say::line(format_args!("\nUsher is running: {database}, queue {queue}, {mail}.\n"));
    say::line(format_args!(
        "  API    {}    documents under /docs and /redoc",
        config.api_url
    ));
    say::line(format_args!("  Admin  {}/admin/\n", config.admin_url));
    if made.email.is_some() || made.key.is_some() {
        say::line("First accounts, shown only this once:");
    }
    if let Some(email) = &made.email {
        let password = made
            .password
            .as_deref()
            .unwrap_or("the password of USHER_SUPERUSER_PASSWORD");
        say::line(format_args!("  Admin log-in  {email}  {password}"));
    }
    if let Some(key) = &made.key {
        say::line(format_args!("  API key       {}", key.as_str()));
    }
    let key = made.key.as_ref().map_or("$USHER_API_KEY", |key| key.as_str());
    say::line("\nTry:");
    say::line(format_args!(
        "  curl -i {}/users -H \"Authorization: Bearer {key}\" -H \"Content-Type: application/json\" \
         -d '{{\"name\": \"Ada Lovelace\", \"email\": \"ada@example.org\", \"age\": 36}}'",
        config.api_url
    ));
    if made.key.is_none() {
        say::line(format_args!(
            "\nNew keys and passwords:\n  usher key create --name me --database-url {url}\n  \
             usher staff set-password {email} --database-url {url}",
            url = if on_sqlite.is_some() {
                &config.database_url
            } else {
                "\"$DATABASE_URL\""
            },
            email = config.first.email.as_str(),
        ));
    }
    say::line("\nCtrl-C stops.\n");
}
