//! How long a statement's answer is waited for.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use sea_orm::{DbErr, RuntimeErr};

/// For one statement. As long as PostgreSQL lets a transaction stay idle.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// The result of a call, or an outage if it takes too long; a panic becomes an error. For tasks that many wait for, and
/// that must neither hang nor exit.
pub async fn within<T>(limit: Duration, call: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    match tokio::time::timeout(limit, AssertUnwindSafe(call).catch_unwind()).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(DbErr::Custom("a statement's code panicked".to_owned())),
        Err(_) => Err(DbErr::Conn(RuntimeErr::Internal(format!("no answer within {limit:?}")))),
    }
}
