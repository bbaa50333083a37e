//! New accounts, whatever their origin: one statement writes them all, and each gets its audit row.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use serde_json::{Value, json};
use thiserror::Error;

use super::events;
use crate::{
    accounts::hooks::{self, HookError, UserCreated, UserEvent, UserEventKind},
    audit::{self, Actor, Entry, ObjectType},
    foundation::{
        db::{self, Sql, Transactional, columns},
        entity::user,
        rules::{Age, Email, ExternalId, FieldErrors, Name},
        search,
        time::now,
    },
    jobs::{EnqueueError, EnqueueOptions, Tx, WelcomeEmail, enqueue_with},
};

/// A user about to be created; the types guarantee that each part is valid.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub name: Name,
    pub email: Email,
    pub age: Option<Age>,
}

/// Why no user was created.
#[derive(Debug, Error)]
pub enum CreateUserError {
    #[error("this email address is registered already")]
    EmailTaken,
    /// A hook of the product refused it.
    #[error("{0}")]
    Refused(FieldErrors),
    #[error(transparent)]
    Db(#[from] DbErr),
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
}

impl From<HookError> for CreateUserError {
    fn from(error: HookError) -> Self {
        match error {
            HookError::Refused(fields) => Self::Refused(fields),
            failed => Self::Db(hooks::plain(failed)),
        }
    }
}

/// The row of a new account.
pub(super) struct Draft<'a> {
    pub(super) name: &'a Name,
    pub(super) email: &'a Email,
    pub(super) age: Option<Age>,
    pub(super) external_id: Option<&'a ExternalId>,
    pub(super) password_hash: Option<String>,
    pub(super) verified: bool,
    pub(super) is_staff: bool,
    pub(super) is_superuser: bool,
}

impl<'a> From<&'a NewUser> for Draft<'a> {
    fn from(new: &'a NewUser) -> Self {
        Self::new(&new.name, &new.email, new.age)
    }
}

impl<'a> Draft<'a> {
    fn new(name: &'a Name, email: &'a Email, age: Option<Age>) -> Self {
        Self {
            name,
            email,
            age,
            external_id: None,
            password_hash: None,
            verified: false,
            is_staff: false,
            is_superuser: false,
        }
    }

    fn staff(name: &'a Name, email: &'a Email, password_hash: String) -> Self {
        Self {
            password_hash: Some(password_hash),
            verified: true,
            is_staff: true,
            ..Self::new(name, email, None)
        }
    }

    fn row(&self) -> Value {
        json!({
            "email": self.email.as_str(), "email_key": self.email.key(), "name": self.name.as_str(),
            "search_text": search::text_of(self.name.as_str(), self.email.as_str()),
            "age": self.age.map(Age::years), "external_id": self.external_id.map(ExternalId::as_str),
            "password_hash": self.password_hash, "verified": self.verified,
            "is_staff": self.is_staff, "is_superuser": self.is_superuser,
        })
    }
}

/// Writes the accounts and returns them by email key; the other addresses are taken. One statement; of two drafts with
/// the same address the first is written.
pub(super) async fn insert_all(
    conn: &impl ConnectionTrait,
    at: DateTime<Utc>,
    drafts: &[Draft<'_>],
) -> Result<HashMap<String, user::Model>, DbErr> {
    let rows: Value = drafts.iter().map(Draft::row).collect();
    let sql = Sql(conn.get_database_backend());
    let insert = format!("{} RETURNING {}", sql.pick(POSTGRES, SQLITE), columns::<user::Entity>());
    let statement = sql.statement(&insert, [rows.into(), at.into()]);
    let mut users = HashMap::new();
    for row in conn.query_all_raw(statement).await? {
        let user = user::Model::from_query_result(&row, "")?;
        users.insert(user.email_key.clone(), user);
    }
    Ok(users)
}

// The rows are one parameter, so that the statement is the same for any number of rows.
const POSTGRES: &str = "\
    INSERT INTO users (email, email_key, name, search_text, age, external_id, password_hash, password_changed_at, \
    email_verified_at, is_staff, is_superuser, status, version, created_at, updated_at) \
    SELECT r->>'email', r->>'email_key', r->>'name', r->>'search_text', (r->>'age')::smallint, r->>'external_id', \
    r->>'password_hash', CASE WHEN r->>'password_hash' IS NOT NULL THEN $2 END, \
    CASE WHEN (r->>'verified')::boolean THEN $2 END, \
    (r->>'is_staff')::boolean, (r->>'is_superuser')::boolean, 'active', 1, $2, $2 \
    FROM jsonb_array_elements($1) r ON CONFLICT (email_key) DO NOTHING";
const SQLITE: &str = "\
    INSERT INTO users (email, email_key, name, search_text, age, external_id, password_hash, password_changed_at, \
    email_verified_at, is_staff, is_superuser, status, version, created_at, updated_at) \
    SELECT value->>'email', value->>'email_key', value->>'name', value->>'search_text', value->>'age', \
    value->>'external_id', value->>'password_hash', CASE WHEN value->>'password_hash' IS NOT NULL THEN $2 END, \
    CASE WHEN value->>'verified' THEN $2 END, value->>'is_staff', value->>'is_superuser', 'active', 1, $2, $2 \
    FROM json_each($1) WHERE true ON CONFLICT (email_key) DO NOTHING";

/// Writes the accounts, each with its audit row and event, in three statements, and runs the hooks. Returns the accounts in the
/// order of the drafts, none for those whose address is taken.
///
/// Self sign-up calls [`insert_all`] instead: a first and a repeated sign-up must cost the same statements in the same
/// order, so its audit row is written at the end, whether or not there is a new account, and the hooks run when the
/// address is verified.
pub(super) async fn create_all<'a>(
    conn: &impl Transactional,
    drafts: impl IntoIterator<Item = (Draft<'a>, &'a Actor)>,
) -> Result<Vec<Option<user::Model>>, CreateUserError> {
    let at = now();
    let (drafts, actors): (Vec<_>, Vec<_>) = drafts.into_iter().unzip();
    let mut written = insert_all(conn, at, &drafts).await?;
    let users: Vec<_> = drafts.iter().map(|draft| written.remove(draft.email.key())).collect();
    let created = users
        .iter()
        .zip(actors)
        .filter_map(|(user, actor)| Some((user.as_ref()?, actor)));
    let created: Vec<_> = created.collect();
    let entries = created.iter().map(|(user, actor)| (*actor, entry(user)));
    audit::record_all(conn, at, entries).await?;
    events::record_created(conn, at, &created).await?;
    for (user, actor) in created {
        hooks::run(conn, actor, UserEvent::Created(UserCreated { user })).await?;
    }
    Ok(users)
}

/// Records events of accounts that were written in bulk, without the functions here, and runs the hooks.
pub async fn announce_created(
    conn: &impl Transactional,
    users: &[user::Model],
    actor: &Actor,
) -> Result<(), CreateUserError> {
    let created: Vec<_> = users.iter().map(|user| (user, actor)).collect();
    events::record_created(conn, now(), &created).await?;
    for user in users {
        hooks::run(conn, actor, UserEvent::Created(UserCreated { user })).await?;
    }
    Ok(())
}

async fn create_one(
    conn: &impl Transactional,
    draft: Draft<'_>,
    actor: &Actor,
) -> Result<user::Model, CreateUserError> {
    let one = create_all(conn, [(draft, actor)]);
    let mut users = if hooks::has_hooks(&[UserEventKind::Created]) {
        db::savepoint(conn, one).await?
    } else {
        one.await?
    };
    users.pop().flatten().ok_or(CreateUserError::EmailTaken)
}

/// Writes the user, its audit row, event and welcome job in four statements.
///
/// The unique index decides whether the address is taken. After an error other than [`CreateUserError::Refused`] the
/// transaction must be dropped.
pub async fn create(tx: &Tx, new: &NewUser, actor: &Actor) -> Result<user::Model, CreateUserError> {
    let user = create_quietly(&**tx, new, actor).await?;
    welcome(tx, &user, actor).await?;
    Ok(user)
}

/// [`create`], with an external id. None if another account has it, which the unique index decides; the transaction
/// must then be dropped.
pub async fn create_external(
    tx: &Tx,
    new: &NewUser,
    external_id: &ExternalId,
    actor: &Actor,
) -> Result<Option<user::Model>, CreateUserError> {
    let draft = Draft {
        external_id: Some(external_id),
        ..new.into()
    };
    let user = match create_one(&**tx, draft, actor).await {
        Ok(user) => user,
        Err(CreateUserError::Db(error)) if has_taken_external_id(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    welcome(tx, &user, actor).await?;
    Ok(Some(user))
}

fn has_taken_external_id(error: &DbErr) -> bool {
    db::violated_unique(error).is_some_and(|what| what.contains("external_id"))
}

async fn welcome(tx: &Tx, user: &user::Model, actor: &Actor) -> Result<(), CreateUserError> {
    let job = WelcomeEmail { user_id: user.id };
    enqueue_with(tx, job, EnqueueOptions::by(actor)).await?;
    Ok(())
}

/// [`create`] without a welcome mail, for users who know the application already.
pub async fn create_quietly(
    conn: &impl Transactional,
    new: &NewUser,
    actor: &Actor,
) -> Result<user::Model, CreateUserError> {
    create_one(conn, new.into(), actor).await
}

/// Writes a superuser with a password, verified and without a welcome mail. For the first account and for commands.
pub async fn create_superuser(
    conn: &impl Transactional,
    name: &Name,
    email: &Email,
    password_hash: String,
) -> Result<user::Model, CreateUserError> {
    let draft = Draft {
        is_superuser: true,
        ..Draft::staff(name, email, password_hash)
    };
    create_one(conn, draft, &Actor::system()).await
}

/// [`create_superuser`] for other staff, who only have the rights of roles assigned later.
pub async fn create_staff(
    conn: &impl Transactional,
    name: &Name,
    email: &Email,
    password_hash: String,
) -> Result<user::Model, CreateUserError> {
    create_one(conn, Draft::staff(name, email, password_hash), &Actor::system()).await
}

/// The audit entry of a new user.
fn entry(user: &user::Model) -> Entry<'static> {
    Entry {
        changes: Some(audit::made([
            ("name", user.name.clone().into()),
            ("email", user.email.clone().into()),
            ("age", user.age.into()),
            ("external_id", user.external_id.clone().into()),
            ("is_staff", user.is_staff.then_some(true).into()),
            ("is_superuser", user.is_superuser.then_some(true).into()),
        ])),
        ..Entry::about(ObjectType::User, user.id, &user.email, "create")
    }
}
