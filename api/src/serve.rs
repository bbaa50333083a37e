//! Serving the API on a listener until it is asked to stop.

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use usher_serve::Patience;
use usher_shared::House;

use crate::{router::router, state::AppState};

/// Serves until `stop` is cancelled, then takes no more connections and lets what runs finish, 25 s at most.
pub async fn serve(house: &House, listener: TcpListener, stop: CancellationToken) {
    usher_serve::serve(router(AppState::new(house)), listener, Patience::default(), stop).await;
}
