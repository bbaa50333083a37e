//! Writing the table of mails: many in one statement, so that a busy worker commits once for all of them.

use std::collections::HashSet;

use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryTrait,
    sea_query::{Expr, ExprTrait, OnConflict, Query},
};
use serde_json::json;
use uuid::Uuid;

use crate::foundation::{
    db::Sql,
    entity::mail::{self, Column, MailState},
    time::{new_id, now},
};

/// A mail that is about to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    pub job_id: Uuid,
    pub kind: String,
    pub user_id: i64,
    pub to_address: String,
    pub subject: String,
    pub message_id: String,
}

/// A mail that was sent, or kept in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    pub job_id: Uuid,
    /// The mail server's last reply; none if the mail is kept in the database.
    pub answer: Option<String>,
    /// Only of a mail that is kept.
    pub text_body: Option<String>,
    pub html_body: Option<String>,
}

/// Records mails before they are sent. Returns the jobs whose mail is to be sent: not those whose earlier run has sent
/// or kept it. Updates an address that has changed since an earlier run. One statement.
pub async fn reserve(conn: &impl ConnectionTrait, mails: &[Reservation]) -> Result<HashSet<Uuid>, DbErr> {
    if mails.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = mails.iter().map(|mail| mail::ActiveModel {
        id: Set(new_id()),
        job_id: Set(Some(mail.job_id)),
        kind: Set(mail.kind.clone()),
        user_id: Set(Some(mail.user_id)),
        to_address: Set(mail.to_address.clone()),
        subject: Set(mail.subject.clone()),
        state: Set(MailState::Reserved),
        message_id: Set(mail.message_id.clone()),
        answer: Set(None),
        text_body: Set(None),
        html_body: Set(None),
        created_at: Set(now()),
        sent_at: Set(None),
    });
    let over = [MailState::Sent, MailState::Kept];
    let again = OnConflict::column(Column::JobId)
        .target_and_where(Expr::col(Column::JobId).is_not_null())
        .update_columns([Column::ToAddress, Column::Subject])
        .action_and_where(Expr::col((mail::Entity, Column::State)).is_not_in(over))
        .to_owned();
    let mut insert = mail::Entity::insert_many(rows).on_conflict(again).into_query();
    insert.returning(Query::returning().column(Column::JobId));
    let rows = conn.query_all(&insert).await?;
    rows.iter().map(|row| row.try_get("", "job_id")).collect()
}

/// Records how mails ended; for the transaction that completes their jobs. One statement.
pub async fn finish(conn: &impl ConnectionTrait, mails: &[Gone]) -> Result<(), DbErr> {
    if mails.is_empty() {
        return Ok(());
    }
    let rows = mails.iter().map(|mail| {
        let state = if mail.answer.is_some() { "sent" } else { "kept" };
        json!({
            "job": mail.job_id.simple().to_string(), "state": state, "answer": mail.answer,
            "text": mail.text_body, "html": mail.html_body,
        })
    });
    let sql = Sql(conn.get_database_backend());
    let (source, job) = match sql.0 {
        DbBackend::Postgres => ("jsonb_array_elements($1) gone(value)", "(gone.value->>'job')::uuid"),
        _ => ("json_each($1) gone", "unhex(gone.value->>'job')"),
    };
    let query = format!(
        "UPDATE mails SET state = gone.value->>'state', answer = gone.value->>'answer', \
         text_body = gone.value->>'text', html_body = gone.value->>'html', \
         sent_at = CASE WHEN gone.value->>'state' = 'sent' THEN {now} END \
         FROM {source} WHERE mails.job_id = {job} AND {named}",
        now = sql.now(),
        named = sql.chosen_by("mails.job_id", &format!("SELECT {job} FROM {source}")),
    );
    let rows = serde_json::Value::from_iter(rows);
    conn.execute_raw(sql.statement(&query, [rows.into()])).await.map(drop)
}
