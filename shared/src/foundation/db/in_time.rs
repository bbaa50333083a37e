//! Connections with a time limit for each statement.

use std::ops::Deref;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};

use super::{
    time_limit::{ANSWER_LIMIT, within},
    writing::{Transactional, Writing, writing},
};

/// A connection whose statements fail if there is no answer within 30 s. A network may drop a connection in use;
/// without a limit its caller would wait a quarter of an hour, or longer behind some proxies.
///
/// Run a statement that may take longer on the inner connection: `&*connection`.
#[derive(Clone, Debug)]
pub struct InTime<C>(pub(crate) C);

/// The same database, with a time limit of 30 s for each statement.
#[must_use]
pub fn in_time(db: &DatabaseConnection) -> InTime<DatabaseConnection> {
    InTime(db.clone())
}

impl InTime<DatabaseConnection> {
    /// For statements that write outside a transaction: each takes its turn, as with [`super::writing`].
    #[must_use]
    pub const fn writing(&self) -> InTime<Writing<'_>> {
        InTime(writing(&self.0))
    }
}

impl<C> Deref for InTime<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.0
    }
}

#[async_trait::async_trait]
impl<C: ConnectionTrait> ConnectionTrait for InTime<C> {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        within(ANSWER_LIMIT, self.0.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        within(ANSWER_LIMIT, self.0.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        within(ANSWER_LIMIT, self.0.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        within(ANSWER_LIMIT, self.0.query_all_raw(statement)).await
    }
}

impl<C: Transactional> Transactional for InTime<C> {
    fn transaction(&self) -> &DatabaseTransaction {
        self.0.transaction()
    }
}
