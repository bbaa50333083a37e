//! A service as a process of its own.

use tokio_util::sync::CancellationToken;

use crate::{
    AppContext, OpenError,
    foundation::{
        config::Config,
        log, process,
        trace::{self, ExportError},
    },
};

/// Starts logs and traces under the program's name, opens the database and serves until SIGTERM or Ctrl-C.
pub async fn run_service<E, S>(
    config: Config,
    program: &str,
    serve: impl AsyncFnOnce(&AppContext, CancellationToken) -> Result<(), S>,
) -> Result<(), E>
where
    E: From<OpenError> + From<ExportError> + From<S>,
{
    log::init(config.log_format);
    let _traces = trace::start(&config, program)?;
    let app = AppContext::open(config, false).await?;
    Ok(serve(&app, process::shutdown_signal()).await?)
}
