//! Usher's API inside another axum program, under `/accounts`: `cargo run --example nested_api`

use std::net::SocketAddr;

use axum::{Router, routing::get};
use tokio::net::TcpListener;
use usher::{
    AppContext, Project,
    config::{Config, Mode, Source},
    db::{PoolOptions, connect},
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let parts = Project::new("shop").assemble()?;
    // API_URL is where the outside world finds the nested API; its links begin with it.
    let settings = Source::of([("API_URL", "http://127.0.0.1:8000/accounts")]).and(Source::environment());
    let config = Config::read(Mode::Up, &settings)?;
    let listener = TcpListener::bind(config.api_addr).await?;
    let options = PoolOptions {
        create: true,
        ..PoolOptions::default()
    };
    let db = connect(&config.database_url, &options).await?;
    parts.migrate(&db).await?;
    let app = AppContext::with(config, db, true);

    let shop = Router::new()
        .route("/", get(async || "The shop's own page"))
        .nest("/accounts", parts.api(&app));
    // Rate limits and the audit log need the client's address.
    axum::serve(listener, shop.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
