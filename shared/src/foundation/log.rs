//! Logs: a readable sentence plus fields, as text for people or JSON lines for machines.
//! They never hold an email address, a token or a password.

use std::{
    fs::File,
    io::{self, IsTerminal},
    os::fd::AsFd,
    sync::Arc,
};

use tracing_subscriber::{
    EnvFilter,
    fmt::{self, writer::BoxMakeWriter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::foundation::config::LogFormat;

/// Starts logging to standard error; `RUST_LOG` narrows or widens it. A second call does nothing.
pub fn init(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,sea_orm=warn,apalis_core=warn"));
    let registry = tracing_subscriber::registry().with(filter);
    let lines = fmt::layer().with_writer(stderr()).with_ansi(io::stderr().is_terminal());
    // A second start in one process (tests) keeps the first's logging.
    drop(match format {
        LogFormat::Text => registry.with(lines.with_target(false)).try_init(),
        LogFormat::Json => registry
            .with(lines.json().flatten_event(true).with_span_list(false))
            .try_init(),
    });
}

/// Standard error without the lock around the standard library's handle, for which busy threads queue. A line is one
/// write, which the system does not mix with others.
fn stderr() -> BoxMakeWriter {
    match io::stderr().as_fd().try_clone_to_owned() {
        Ok(descriptor) => BoxMakeWriter::new(Arc::new(File::from(descriptor))),
        Err(_) => BoxMakeWriter::new(io::stderr),
    }
}
