//! Serving the API on a listener until it is asked to stop.

use std::{io, net::SocketAddr, time::Duration};

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use usher_shared::House;

use crate::{router::router, state::AppState};

/// How long requests may finish after the stop was asked for.
const DRAIN: Duration = Duration::from_secs(25);

/// Serves until `stop` is cancelled, then takes no more connections and lets what runs finish, 25 s at most.
pub async fn serve(house: &House, listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
    let service = router(AppState::new(house)).into_make_service_with_connect_info::<SocketAddr>();
    let listener = listener.tap_io(|connection| {
        // Answers are small: waiting to fill a packet only makes them late.
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
    });
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
    let too_late = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = serving.into_future() => served,
        () = too_late => {
            tracing::warn!("stopped while requests were still running");
            Ok(())
        }
    }
}
