//! Each statement as a span of the calling task (conventions for database client spans). Statements have placeholders
//! instead of values; a database's error text may quote values, so it is omitted.

use std::time::{Duration, SystemTime};

use opentelemetry::{
    KeyValue,
    trace::{Span as _, SpanBuilder, SpanKind, Status},
};
use sea_orm::{DbBackend, DbErr, metric::Info};

use super::{context::Trace, span::begin};

/// Called after each statement of a traced connection, by the calling task.
pub(crate) fn finished(info: &Info<'_>) {
    let Some(trace) = Trace::exported() else { return };
    let statement = info.statement;
    tell(trace, statement.db_backend, &statement.sql, info.elapsed, info.failed);
}

/// Times a call that the driver doesn't report, such as a commit.
pub(crate) async fn timed<T>(
    sql: &'static str,
    backend: DbBackend,
    call: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    let Some(trace) = Trace::exported() else {
        return call.await;
    };
    let began = SystemTime::now();
    let outcome = call.await;
    tell(
        trace,
        backend,
        sql,
        began.elapsed().unwrap_or_default(),
        outcome.is_err(),
    );
    outcome
}

fn tell(trace: Trace, backend: DbBackend, sql: &str, took: Duration, failed: bool) {
    let system = match backend {
        DbBackend::Postgres => "postgresql",
        _ => "sqlite",
    };
    let (operation, summary) = summary(sql);
    let end = SystemTime::now();
    let span = SpanBuilder::from_name(summary.clone())
        .with_kind(SpanKind::Client)
        .with_start_time(end.checked_sub(took).unwrap_or(end))
        .with_attributes([
            KeyValue::new("db.system.name", system),
            KeyValue::new("db.operation.name", operation),
            KeyValue::new("db.query.summary", summary),
            KeyValue::new("db.query.text", sql.to_owned()),
        ]);
    let Some(mut span) = begin(span, Some(trace)) else {
        return;
    };
    if failed {
        span.set_status(Status::error(""));
    }
    span.end_with_timestamp(end);
}

/// The operation, and the operation with the first table: `SELECT` and `SELECT users`.
fn summary(sql: &str) -> (String, String) {
    let mut words = sql
        .split(|c: char| c.is_whitespace() || "();,".contains(c))
        .filter(|word| !word.is_empty());
    let operation = words.next().unwrap_or_default().to_uppercase();
    let is_update = operation == "UPDATE";
    let before = |word: &&str| {
        ["FROM", "INTO", "UPDATE"]
            .iter()
            .any(|known| word.eq_ignore_ascii_case(known))
    };
    if !is_update {
        words.by_ref().find(before);
    }
    match words.next().map(|table| table.trim_matches('"')) {
        Some(table) => {
            let summary = format!("{operation} {table}");
            (operation, summary)
        }
        None => (operation.clone(), operation),
    }
}

#[cfg(test)]
mod tests {
    use super::summary;

    #[test]
    fn a_statement_is_called_by_what_it_does_and_its_first_table() {
        for (sql, expected) in [
            (r#"SELECT "users"."id" FROM "users" WHERE "id" = $1"#, "SELECT users"),
            ("INSERT INTO jobs (id) VALUES ($1)", "INSERT jobs"),
            (r#"UPDATE "users" SET "name" = $1"#, "UPDATE users"),
            ("delete from sessions where id = $1", "DELETE sessions"),
            ("WITH due AS (SELECT id FROM jobs) UPDATE jobs SET x = 1", "WITH jobs"),
            ("COMMIT", "COMMIT"),
            ("SELECT now() AS now", "SELECT"),
            ("", ""),
        ] {
            assert_eq!(summary(sql).1, expected);
        }
    }
}
