//! Serving the API until it is asked to stop: on a listener, or as a process of its own.

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use usher_serve::{Patience, serve_metrics};
use usher_shared::{
    AppContext,
    foundation::process::{self, BindError},
};

use crate::{extension::ApiExtension, router::router_with, state::AppState, toolkit::open_streams::OpenStreams};

/// Serves until `stop` is cancelled, then takes no more connections and lets what runs finish, 25 s at most.
pub async fn serve(app: &AppContext, listener: TcpListener, stop: CancellationToken) {
    serve_with(app, &ApiExtension::default(), listener, stop).await;
}

/// [`serve`] with what a product adds.
pub async fn serve_with(app: &AppContext, extension: &ApiExtension, listener: TcpListener, stop: CancellationToken) {
    let mut state = AppState::new(app);
    state.streams = OpenStreams::new(stop.clone());
    let streams = state.streams.clone();
    let router = router_with(state, extension);
    usher_serve::serve(router, listener, Patience::default(), stop).await;
    streams.ended().await;
}

/// [`serve`] on `API_ADDR`, with metrics on `METRICS_ADDR` where that is set.
pub async fn run(app: &AppContext, stop: CancellationToken) -> Result<(), BindError> {
    run_with(app, &ApiExtension::default(), stop).await
}

/// [`run`] with what a product adds.
///
/// # Errors
///
/// An address that can't be bound.
pub async fn run_with(app: &AppContext, extension: &ApiExtension, stop: CancellationToken) -> Result<(), BindError> {
    let listener = process::bind(app.config.api_addr, "API_ADDR").await?;
    let mut _told = None;
    if let Some(address) = app.config.metrics_addr {
        let app = app.clone();
        _told = Some(serve_metrics(
            process::bind(address, "METRICS_ADDR").await?,
            move || app.render_metrics(),
        ));
    }
    tracing::info!(url = app.config.api_url, "the API is ready");
    serve_with(app, extension, listener, stop).await;
    Ok(())
}
