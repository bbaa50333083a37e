//! How every process of the application starts and stops.

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

use crate::foundation::config::{SETTINGS, Setting, flag_name};

/// Runs a program's main part. An error becomes one line on standard error, with its causes, and exit code 1.
pub async fn run<E: Into<Box<dyn Error + Send + Sync>>>(
    name: &str,
    main: impl Future<Output = Result<(), E>>,
) -> ExitCode {
    match main.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; there is nobody left to tell then.
            drop(writeln!(io::stderr(), "{name}: {}", one_line(&*error.into())));
            ExitCode::FAILURE
        }
    }
}

/// The same for the program of one room, whose flags are the settings and `own`, each with what it means. It answers
/// `--help` and `--version` as well.
pub async fn run_room<E: Into<Box<dyn Error + Send + Sync>>>(
    name: &str,
    own: &[(&str, &str)],
    main: impl Future<Output = Result<(), E>>,
) -> ExitCode {
    let answer = match std::env::args().nth(1).as_deref() {
        Some("-h" | "--help") => help(name, own),
        Some("-V" | "--version") => format!("{name} {}\n", env!("CARGO_PKG_VERSION")),
        _ => return run(name, main).await,
    };
    match io::stdout().write_all(answer.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn help(name: &str, own: &[(&str, &str)]) -> String {
    let own = own.iter().map(|(flag, about)| format!("  {flag:30}{about}\n"));
    let settings = SETTINGS.iter().map(|Setting { name, about, .. }| {
        let flag = flag_name(name);
        format!("  --{flag:28}{about} [env: {name}]\n")
    });
    format!(
        "Usage: {name} [--flag value]...\n\n{}",
        own.chain(settings).collect::<String>()
    )
}

/// An error and its causes; a cause that the text before it tells already is not repeated.
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

/// Cancelled by the first SIGTERM or Ctrl-C; a second one ends the process at once. Both are listened for from the
/// moment this returns.
///
/// # Panics
/// Outside a tokio runtime.
#[must_use]
pub fn shutdown_signal() -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("cannot listen for signals; stop this process with SIGKILL");
        return token;
    };
    tokio::spawn(async move {
        for code in [None, Some(1)] {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            match code {
                None => {
                    tracing::info!("stopping: finishing what runs, 25 s at most");
                    cancelled.cancel();
                }
                Some(code) => std::process::exit(code),
            }
        }
    });
    token
}

/// The address cannot be listened on.
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
            io::ErrorKind::AddrInUse => "another program uses it; stop that one or choose another port".to_owned(),
            _ => error.to_string(),
        },
    })
}
