//! `usher up`: every service in one process. It migrates first, and creates the first accounts of an empty database.

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
    bootstrap::{self, Missing},
    migrate,
    parts::Parts,
    welcome,
};

pub async fn run(config: Config, parts: Parts) -> Result<()> {
    log::init(config.log_format);
    let _traces = trace::start(&config, "usher")?;
    // Before anything is printed or created: the worker would only find it afterwards.
    #[cfg(feature = "worker")]
    usher_worker::Mailer::new(&config)?;
    #[cfg(feature = "api")]
    let api = process::bind(config.api_addr, "API_ADDR").await?;
    #[cfg(feature = "admin")]
    let admin = process::bind(config.admin_addr, "ADMIN_ADDR").await?;
    let options = PoolOptions {
        create: true,
        ..PoolOptions::default()
    };
    let db = db::connect(&config.database_url, &options).await?;
    migrate::up(&db, &parts.schema)
        .await
        .context("the schema cannot be upgraded")?;
    let accounts = bootstrap::first_accounts(&db, &config.first, Missing::Generate).await?;
    let app = AppContext::with(config, db, true);
    welcome::print(&app, &accounts);

    let shutdown = process::shutdown_signal();
    let mut services = JoinSet::<Result<()>>::new();
    #[cfg(feature = "admin")]
    {
        let (state, stop) = (parts.admin_state(&app), shutdown.clone());
        services.spawn(async move {
            usher_admin::serve_with(state, admin, stop).await;
            Ok(())
        });
    }
    #[cfg(feature = "api")]
    {
        let (context, extension, stop) = (app.clone(), parts.api, shutdown.clone());
        services.spawn(async move {
            usher_api::serve_with(&context, &extension, api, stop).await;
            Ok(())
        });
    }
    #[cfg(feature = "worker")]
    {
        let (context, registry, stop) = (app.clone(), parts.registry, shutdown.clone());
        services.spawn(async move {
            usher_worker::run(&context, registry, usher_worker::Options::default(), stop)
                .await
                .context("the worker failed")
        });
    }

    let mut outcome = Ok(());
    while let Some(ended) = services.join_next().await {
        // If one service ends, all do: the supervisor restarts the process.
        shutdown.cancel();
        outcome = outcome.and(ended.context("a service panicked").and_then(|ended| ended));
    }
    outcome
}
