//! Time limits for calls to the database and to Redis, whose connections may fall silent.

use std::time::Duration;

use anyhow::anyhow;

/// For one call of a background loop.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(5);

/// The answer, or an error when there is none in time.
pub(crate) async fn within<T, E>(limit: Duration, call: impl Future<Output = Result<T, E>>) -> anyhow::Result<T>
where
    E: Into<anyhow::Error>,
{
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_) => Err(anyhow!("no answer within {} s", limit.as_secs())),
    }
}
