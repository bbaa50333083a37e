//! How every process starts and stops.

use std::{
    error::Error,
    future::Future,
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
};

use thiserror::Error;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

/// Runs a program. An error becomes one line on standard error, with its causes, and exit code 1.
pub async fn run<E: Into<Box<dyn Error + Send + Sync>>>(
    name: &str,
    main: impl Future<Output = Result<(), E>>,
) -> ExitCode {
    match main.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed.
            drop(writeln!(io::stderr(), "{name}: {}", one_line(&*error.into())));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes, without causes that the text before them already contains.
fn one_line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Cancelled by the first SIGTERM or Ctrl-C; a second one ends the process at once. Both are handled from the moment
/// this returns.
///
/// # Panics
/// Outside a tokio runtime.
#[must_use]
pub fn shutdown_signal() -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("cannot handle signals; stop this process with SIGKILL");
        return token;
    };
    tokio::spawn(async move {
        for code in [None, Some(1)] {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            match code {
                None => {
                    tracing::info!("stopping: running work may take up to 25 s to finish");
                    cancelled.cancel();
                }
                Some(code) => std::process::exit(code),
            }
        }
    });
    token
}

/// The address cannot be used.
#[derive(Debug, Error)]
#[error("cannot listen on {address} ({variable}): {reason}")]
pub struct BindError {
    address: SocketAddr,
    variable: &'static str,
    reason: String,
}

/// Listens on an address; the error names the setting that holds it.
pub async fn bind(address: SocketAddr, variable: &'static str) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|error| BindError {
        address,
        variable,
        reason: match error.kind() {
            io::ErrorKind::AddrInUse => "another program uses it; stop that program or choose another port".to_owned(),
            _ => error.to_string(),
        },
    })
}
