//! What mails ask of the database, done for many at once: who the user is, whether the mail may go, and that it is gone.
//! Two commits for all mails that are under way, instead of three for each.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, PaginatorTrait, QueryFilter, sea_query::Expr,
};
use usher_shared::{
    accounts::mail_tokens,
    foundation::{
        db,
        entity::{mail_breaker, mail_suppression, mail_token, user},
        rules::Email,
        time::now,
    },
    jobs::{
        Claim, CompleteError, JobStore, mail_suppressions,
        mails::{self, Gone, Reservation},
    },
};
use uuid::Uuid;

use crate::together::Together;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Desk {
    accounts: Together<i64, Option<user::Model>>,
    clearance: Together<Wish, Clearance>,
    endings: Together<Ending, bool>,
}

/// A mail that wants to go, with the tokens that stand in it.
#[derive(Clone)]
pub(super) struct Wish {
    pub(super) mail: Reservation,
    pub(super) tokens: Vec<mail_token::ActiveModel>,
}

/// What the database says to a wish.
#[derive(Clone)]
pub(super) enum Clearance {
    /// An earlier run of the same job has sent or kept it, or its link was replaced by a newer one.
    NotWanted,
    /// It is written down, its tokens are valid, and it may be tried.
    Go {
        /// What stands against its address.
        dead: Option<mail_suppression::Model>,
        /// Whether some mail server refuses us; the breaker knows whether it is this one.
        breaker: bool,
    },
}

/// The end of a mail's job.
#[derive(Clone)]
pub(crate) struct Ending {
    pub(crate) claim: Claim,
    pub(crate) gone: Option<Gone>,
    /// The user whose welcome it was.
    pub(crate) welcomed: Option<i64>,
}

impl Desk {
    /// Starts its tasks; needs a Tokio runtime.
    pub(crate) fn new(job_store: &JobStore) -> Self {
        let db = job_store.db().clone();
        let accounts = Together::new(move |ids| load(db.clone(), ids));
        let db = job_store.db().clone();
        let clearance = Together::new(move |wishes| clear(db.clone(), wishes));
        let job_store = job_store.clone();
        let endings = Together::new(move |endings| end(job_store.clone(), endings));
        Self {
            accounts,
            clearance,
            endings,
        }
    }

    pub(crate) async fn account(&self, user_id: i64) -> Result<Option<user::Model>, DbErr> {
        self.accounts.ask(user_id).await
    }

    pub(super) async fn clear(&self, wish: Wish) -> Result<Clearance, DbErr> {
        self.clearance.ask(wish).await
    }

    /// Writes that the mail is gone and its job done, in one transaction.
    pub(crate) async fn end(&self, ending: Ending) -> Result<(), CompleteError> {
        match self.endings.ask(ending).await? {
            true => Ok(()),
            false => Err(CompleteError::Lost),
        }
    }
}

async fn load(db: DatabaseConnection, ids: Arc<[i64]>) -> Result<Vec<Option<user::Model>>, DbErr> {
    let query = user::Entity::find().filter(user::Column::Id.is_in(ids.iter().copied()));
    let users = query.all(&db).await?;
    let users: HashMap<i64, user::Model> = users.into_iter().map(|user| (user.id, user)).collect();
    Ok(ids.iter().map(|id| users.get(id).cloned()).collect())
}

/// Six round trips and one commit, for any number of mails.
async fn clear(db: DatabaseConnection, wishes: Arc<[Wish]>) -> Result<Vec<Clearance>, DbErr> {
    let mails: Vec<Reservation> = wishes.iter().map(|wish| wish.mail.clone()).collect();
    let tx = db::begin(&db).await?;
    let tokens = wishes.iter().flat_map(|wish| wish.tokens.clone()).collect();
    let open = mail_tokens::open(&tx, tokens).await?;
    // A mail whose link has ended meanwhile is not written down.
    let is_wanted = |wish: &&Wish| wish.tokens.iter().all(|token| open.contains(token.id.as_ref()));
    let wanted: Vec<Reservation> = wishes.iter().filter(is_wanted).map(|wish| wish.mail.clone()).collect();
    let to_send = mails::reserve(&tx, &wanted).await?;
    tx.commit().await?;
    let breaker = mail_breaker::Entity::find().count(&db).await? > 0;
    let dead = mail_suppressions::find_all(&db, mails.iter().map(|mail| mail.to_address.as_str())).await?;
    let dead: HashMap<String, mail_suppression::Model> =
        dead.into_iter().map(|dead| (dead.address_key.clone(), dead)).collect();
    let answer = |mail: &Reservation| match to_send.contains(&mail.job_id) {
        true => Clearance::Go {
            dead: dead.get(&Email::key_of(&mail.to_address)).cloned(),
            breaker,
        },
        false => Clearance::NotWanted,
    };
    Ok(mails.iter().map(answer).collect())
}

/// Five round trips and one commit, for any number of jobs.
async fn end(job_store: JobStore, endings: Arc<[Ending]>) -> Result<Vec<bool>, DbErr> {
    let claims: Vec<Claim> = endings.iter().map(|ending| ending.claim).collect();
    let tx = db::begin(job_store.db()).await?;
    // Whoever lost the job meanwhile writes nothing of it.
    let ours = job_store.complete_many(&tx, &claims).await?;
    let kept = || endings.iter().filter(|ending| ours.contains(&ending.claim.id));
    let gone: Vec<Gone> = kept().filter_map(|ending| ending.gone.clone()).collect();
    mails::finish(&tx, &gone).await?;
    welcome(&tx, kept().filter_map(|ending| ending.welcomed).collect()).await?;
    tx.commit().await?;
    let ours: &HashSet<Uuid> = &ours;
    Ok(claims.iter().map(|claim| ours.contains(&claim.id)).collect())
}

async fn welcome(conn: &impl ConnectionTrait, mut users: Vec<i64>) -> Result<(), DbErr> {
    if users.is_empty() {
        return Ok(());
    }
    // In one order, so that two workers never wait for each other.
    users.sort_unstable();
    user::Entity::update_many()
        .col_expr(user::Column::WelcomedAt, Expr::value(now()))
        .filter(user::Column::Id.is_in(users))
        .exec(conn)
        .await
        .map(drop)
}
