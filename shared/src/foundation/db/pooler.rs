//! What a pooler in transaction mode must support: statements are prepared once per connection and used by name, so it
//! has to track which names belong to whom.

use sea_orm::{
    DatabaseConnection, DbBackend,
    sqlx::{self, Error, Postgres, pool::PoolConnection},
};

/// `duplicate_prepared_statement` and `invalid_sql_statement_name`.
const CONFUSED: [&str; 2] = ["42P05", "26000"];

const REFUSAL: &str = "the pooler in front of it mixes up prepared statements: PgBouncer in transaction mode needs \
    version 1.21 or newer and max_prepared_statements = 200";

/// Rejects a pooler that passes statements on under its clients' names. Every process uses the same names, so a call
/// could run another client's statement; two connections that prepare in turn reveal that.
pub(super) async fn keeps_statements(db: &DatabaseConnection) -> Result<(), String> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let pool = db.get_postgres_connection_pool();
    if pool.options().get_max_connections() < 2 {
        return Ok(());
    }
    let tried = async {
        let (mut one, mut other) = (pool.acquire().await?, pool.acquire().await?);
        prepare(&mut one).await?;
        prepare(&mut other).await?;
        prepare(&mut one).await
    };
    match tried.await {
        Ok(()) => Ok(()),
        Err(Error::Database(error)) if error.code().is_some_and(|code| CONFUSED.contains(&&*code)) => {
            Err(REFUSAL.to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

async fn prepare(connection: &mut PoolConnection<Postgres>) -> Result<(), Error> {
    sqlx::query("SELECT 1").execute(&mut **connection).await.map(drop)
}
