//! From the request for a mailed link to the link: each account has one open request per purpose and subject. Its row is written
//! with the mail's job and has the job's id; the worker fills in the token's hash when it sends the mail. So a newer
//! request, and whatever else invalidates the account's tokens, also invalidates a link whose mail is still queued.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Expr, ExprTrait, OnConflict, Query},
};
use uuid::Uuid;

use super::{purpose::LinkPurpose, tokens::spend};
use crate::{
    foundation::{
        crypto::SecretKey,
        db::Sql,
        entity::{
            mail_token::{self, Column},
            user,
        },
        time::{first_id, now},
        token::{Token, TokenKind},
    },
    jobs::{EnqueueError, EnqueueOptions, Enqueued, Job, Tx, enqueue_with},
};

/// The purpose that tokens are derived for.
const PURPOSE: &str = "mailed link";
/// How long a request waits for its mail: longer than any such mail is retried.
const WAITS: TimeDelta = TimeDelta::days(7);

/// A link that a mail will have.
#[derive(Clone, Copy, Debug)]
pub struct LinkRequest<'a> {
    user_id: i64,
    purpose: LinkPurpose,
    subject: Option<&'a str>,
    email: Option<&'a str>,
}

impl<'a> LinkRequest<'a> {
    /// A link for this user, at the account's address.
    #[must_use]
    pub const fn new(user_id: i64, purpose: LinkPurpose) -> Self {
        Self {
            user_id,
            purpose,
            subject: None,
            email: None,
        }
    }

    /// What the link is about, such as the id of an order. Links about different subjects don't end each other. No
    /// secret: it is stored as it is.
    #[must_use]
    pub const fn about(self, subject: &'a str) -> Self {
        Self {
            subject: Some(subject),
            ..self
        }
    }

    /// The address that the link is mailed to, where that is not the account's.
    #[must_use]
    pub const fn at(self, email: &'a str) -> Self {
        Self {
            email: Some(email),
            ..self
        }
    }

    /// All links for the same, whatever their address.
    fn same(self) -> Condition {
        same(self.user_id, self.purpose.as_str(), self.subject)
    }
}

/// The tokens of this user for this purpose and subject.
pub(super) fn same(user_id: i64, purpose: &str, subject: Option<&str>) -> Condition {
    let is_about = match subject {
        Some(subject) => Column::Subject.eq(subject),
        None => Column::Subject.is_null(),
    };
    Condition::all()
        .add(Column::UserId.eq(user_id))
        .add(Column::Purpose.eq(purpose))
        .add(is_about)
}

/// Enqueues the mail with this link, and invalidates the previous link for the same purpose and subject, except one that
/// undoes a change of address. Writes no token if such a job was already queued, or if there is no such account, which
/// costs the same statements.
///
/// # Errors
/// Those of [`enqueue_with`].
pub async fn request<J: Job>(
    tx: &Tx,
    link: LinkRequest<'_>,
    mail: J,
    options: EnqueueOptions,
) -> Result<Enqueued, EnqueueError> {
    let LinkRequest { user_id, purpose, .. } = link;
    // Of two concurrent requests the second sees what the first wrote.
    user::Entity::find_by_id(user_id)
        .select_only()
        .column(user::Column::Id)
        .lock_exclusive()
        .into_tuple::<i64>()
        .one(&**tx)
        .await?;
    let enqueued = enqueue_with(tx, mail, options).await?;
    let Enqueued::New(id) = enqueued else {
        return Ok(enqueued);
    };
    if purpose != LinkPurpose::EMAIL_CHANGE_UNDO {
        spend(&**tx, link.same()).await?;
    }
    let insert = "INSERT INTO mail_tokens (id, user_id, purpose, subject, email, token_hash, created_at, expires_at) \
                  SELECT $1, users.id, $2, $3, $4, $5, $6, $7 FROM users WHERE users.id = $8";
    let at = now();
    let values: [sea_orm::Value; 8] = [
        id.into(),
        purpose.as_str().into(),
        link.subject.map(str::to_owned).into(),
        link.email.map(str::to_owned).into(),
        // Nobody has this token: the link is created when the mail is sent.
        Token::generate(TokenKind::Mail).hash().into(),
        at.into(),
        (at + WAITS).into(),
        user_id.into(),
    ];
    tx.execute_raw(Sql(tx.get_database_backend()).statement(insert, values))
        .await?;
    Ok(enqueued)
}

/// The token of this request, and the row that makes it valid once [`open`] writes it. A mail that is sent again has
/// the same link.
#[must_use]
pub fn make(key: &SecretKey, id: Uuid, link: LinkRequest<'_>) -> (Token, mail_token::ActiveModel) {
    let token = Token::derive(TokenKind::Mail, key.sign(PURPOSE, id.as_bytes()));
    let at = now();
    let row = mail_token::ActiveModel {
        id: Set(id),
        user_id: Set(link.user_id),
        purpose: Set(link.purpose.as_str().to_owned()),
        subject: Set(link.subject.map(str::to_owned)),
        email: Set(link.email.map(str::to_owned)),
        token_hash: Set(token.hash()),
        created_at: Set(at),
        expires_at: Set(at + link.purpose.lifetime()),
        used_at: Set(None),
    };
    (token, row)
}

/// Makes tokens valid whose mails are about to be sent. Returns the ids of those that are valid now, without requests
/// that were invalidated since. One statement, unless a mail was enqueued without a request.
pub async fn open(conn: &impl ConnectionTrait, rows: Vec<mail_token::ActiveModel>) -> Result<HashSet<Uuid>, DbErr> {
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    // A request whose row was purged is invalid; only the mail for a first password is enqueued without one.
    let oldest = first_id(now() - WAITS);
    let rows: Vec<mail_token::ActiveModel> = rows
        .into_iter()
        .filter(|row| row.purpose.as_ref() == LinkPurpose::SET_PASSWORD.as_str() || *row.id.as_ref() >= oldest)
        .collect();
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    let made: Vec<mail_token::ActiveModel> = rows.clone();
    let filled = OnConflict::column(Column::Id)
        .update_columns([Column::TokenHash, Column::Subject, Column::Email, Column::ExpiresAt])
        .action_and_where(Expr::col((mail_token::Entity, Column::UsedAt)).is_null())
        .to_owned();
    let mut insert = mail_token::Entity::insert_many(rows).on_conflict(filled).into_query();
    insert.returning(Query::returning().columns([Column::Id, Column::CreatedAt]));
    let mut open = HashSet::new();
    for row in conn.query_all(&insert).await? {
        let (id, created_at): (Uuid, DateTime<Utc>) = (row.try_get("", "id")?, row.try_get("", "created_at")?);
        open.insert(id);
        let own = made
            .iter()
            .find(|made| made.id.as_ref() == &id && made.created_at.as_ref() == &created_at);
        if let Some(made) = own {
            end_older(conn, made).await?;
        }
    }
    Ok(open)
}

/// Invalidates all links but the newest. There is only one link for a first password, and links that undo a change of
/// address all stay.
async fn end_older(conn: &impl ConnectionTrait, made: &mail_token::ActiveModel) -> Result<(), DbErr> {
    let (purpose, subject) = (made.purpose.as_ref(), made.subject.as_ref().as_deref());
    if [LinkPurpose::SET_PASSWORD, LinkPurpose::EMAIL_CHANGE_UNDO]
        .map(LinkPurpose::as_str)
        .contains(&purpose.as_str())
    {
        return Ok(());
    }
    let same = || same(*made.user_id.as_ref(), purpose, subject);
    let newest = mail_token::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(same())
        .order_by_desc(Column::Id)
        .limit(1)
        .into_tuple::<Uuid>()
        .one(conn)
        .await?;
    let older = same().add(Column::Id.ne(newest.unwrap_or_default()));
    spend(conn, older).await.map(drop)
}
