//! Each form takes effect once. It is drawn with a token of its own, which is spent in the transaction of what the form
//! changes. Sending it again, by a double click or by reloading, gives the first answer again, with or without a
//! script.
//!
//! The answer is sealed under a key derived from the token, and only the token's hash is stored: reading the database
//! does not reveal a key or a code that was shown once.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    body::{Body, to_bytes},
    response::Response,
};
use chrono::TimeDelta;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter,
    sea_query::{Expr, OnConflict, Query},
};
use usher_shared::{
    AppContext,
    foundation::{
        crypto::sha256,
        entity::spent_form_token::{Column, Entity},
        time::now,
    },
    jobs::Tx,
};

use super::sent::{Fields, FormToken, Sent, StoredAnswer};
use crate::error::AdminError;

/// Longer than a session, and with it any form.
const REMEMBERED: TimeDelta = TimeDelta::hours(13);
/// How long the answer is repeated, including what it shows only once.
const ANSWERED_AGAIN: TimeDelta = TimeDelta::minutes(10);
/// In bytes. The largest answer is a form that was saved while its sender signed in again.
const MAX_ANSWER: usize = 1024 * 1024;

impl Fields {
    /// Starts the transaction of what the form changes. Every change takes its transaction here, so that a form that is
    /// sent twice takes effect once.
    pub async fn begin(&self, app: &AppContext) -> Result<FormTx, AdminError> {
        match &self.token {
            Some(token) => token.begin(app).await,
            None => Err(anyhow::anyhow!("a change was asked for without a form").into()),
        }
    }
}

impl FormToken {
    /// The token of a form with these contents, sent to this address.
    pub fn new(app: &AppContext, token: &str, (to, contents): (&str, &[u8]), cookie: Option<&str>) -> Self {
        let contents = [to.as_bytes(), b"\n", contents].concat();
        Self(Arc::new(Sent {
            token: token.to_owned(),
            contents: app.config.secret_key.sign("admin form contents", &contents),
            cookie: cookie.map(|cookie| sha256(cookie.as_bytes())),
            finished: AtomicBool::new(false),
        }))
    }

    fn hash(&self) -> Vec<u8> {
        sha256(self.0.token.as_bytes()).into()
    }

    fn purpose(&self) -> String {
        format!("admin form answer {}", self.0.token)
    }

    /// Whether a session's cookie came with the form.
    pub fn has_cookie(&self) -> bool {
        self.0.cookie.is_some()
    }

    /// Whether this request did what the form asks.
    pub fn is_finished(&self) -> bool {
        self.0.finished.load(Ordering::Relaxed)
    }

    /// Returns the first answer, as an error that handlers pass on; `Ok` the first time.
    /// `own`: the token was made for the current session. Otherwise the same cookie must have come with it.
    pub async fn refuse_again(&self, app: &AppContext, own: bool) -> Result<(), AdminError> {
        let Some(row) = Entity::find_by_id(self.hash()).one(&app.db).await? else {
            return Ok(());
        };
        let key = &app.config.secret_key;
        let opened = row.answer.and_then(|sealed| key.open(&self.purpose(), &sealed));
        let answer = opened.and_then(|plain| serde_json::from_slice::<StoredAnswer>(&plain).ok());
        let is_theirs = |answer: &StoredAnswer| own || (self.has_cookie() && answer.cookie == self.0.cookie);
        match answer {
            Some(answer) if !is_theirs(&answer) => Ok(()),
            Some(answer) if answer.contents == self.0.contents && now() - row.spent_at < ANSWERED_AGAIN => {
                Err(AdminError::Again(Arc::new(answer)))
            }
            None if !own => Ok(()),
            _ => Err(AdminError::AlreadySent),
        }
    }

    /// Starts the transaction of what the form changes, and spends the token in it. Of two concurrent requests the
    /// second waits for the first.
    pub async fn begin(&self, app: &AppContext) -> Result<FormTx, AdminError> {
        let (tx, at) = (app.job_store.begin().await?, now());
        let insert = Query::insert()
            .into_table(Entity)
            .columns([Column::TokenHash, Column::SpentAt, Column::ExpiresAt])
            .values_panic([self.hash().into(), at.into(), (at + REMEMBERED).into()])
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .to_owned();
        if tx.execute(&insert).await?.rows_affected() == 1 {
            return Ok(FormTx {
                tx,
                token: self.clone(),
                app: app.clone(),
            });
        }
        tx.rollback().await?;
        self.refuse_again(app, true).await?;
        // The row expired in between, which takes hours.
        Err(AdminError::AlreadySent)
    }
}

/// The transaction of what a form changes. Dropping it rolls back, and the form can be sent again.
#[derive(Debug)]
pub struct FormTx {
    tx: Tx,
    token: FormToken,
    app: AppContext,
}

impl Deref for FormTx {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        &self.tx
    }
}

impl FormTx {
    /// Rolls back; the form can be sent again.
    pub async fn rollback(self) -> Result<(), DbErr> {
        self.tx.rollback().await
    }

    /// Commits, and stores the answer in case the form is sent again.
    pub async fn finish(self, response: Response) -> Result<Response, AdminError> {
        let Self { tx, token, app } = self;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, MAX_ANSWER).await.map_err(anyhow::Error::from)?;
        let headers = parts.headers.iter().filter_map(|(name, value)| {
            let value = value.to_str().ok()?.to_owned();
            Some((name.to_string(), value))
        });
        let answer = StoredAnswer {
            status: parts.status.as_u16(),
            headers: headers.collect(),
            body: String::from_utf8_lossy(&body).into_owned(),
            contents: token.0.contents,
            cookie: token.0.cookie,
        };
        let plain = serde_json::to_vec(&answer).map_err(anyhow::Error::from)?;
        let sealed = app.config.secret_key.seal(&token.purpose(), &plain);
        Entity::update_many()
            .col_expr(Column::Answer, Expr::value(sealed))
            .filter(Column::TokenHash.eq(token.hash()))
            .exec(&*tx)
            .await?;
        tx.commit().await?;
        token.0.finished.store(true, Ordering::Relaxed);
        Ok(Response::from_parts(parts, Body::from(body)))
    }
}
