//! The public API as a process of its own.

use std::process::ExitCode;

use usher_shared::{
    Config, House,
    config::Mode,
    log,
    process::{bind, run, shutdown_signal},
};

#[tokio::main]
async fn main() -> ExitCode {
    run("usher-api", start()).await
}

async fn start() -> anyhow::Result<()> {
    let config = Config::for_process(Mode::Room)?;
    log::init(config.log_format);
    let house = House::open(config, false).await?;
    let listener = bind(house.config.api_addr, "API_ADDR").await?;
    tracing::info!(url = house.config.api_url, "the API is ready");
    usher_api::serve(&house, listener, shutdown_signal()).await;
    Ok(())
}
