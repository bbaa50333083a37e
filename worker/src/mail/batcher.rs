//! What mails need of the database, done for many at once: load the account, check that the mail may be sent, record
//! that it was. Two commits for all mails in progress instead of three for each.

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
        batcher::Batcher,
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

use crate::foundation::time_limit::CALL_LIMIT;

/// Items in one batch.
const BATCH: usize = 256;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct MailBatcher {
    accounts: Batcher<i64, Option<user::Model>>,
    clearance: Batcher<SendRequest, Clearance>,
    endings: Batcher<Ending, bool>,
}

/// A mail to send, with the tokens in its links.
#[derive(Clone)]
pub(super) struct SendRequest {
    pub(super) mail: Reservation,
    pub(super) tokens: Vec<mail_token::ActiveModel>,
}

/// The answer to a [`SendRequest`].
#[derive(Clone)]
pub(super) enum Clearance {
    /// An earlier run of the job has sent or kept it, or a newer link has replaced its own.
    NotWanted,
    /// It is recorded, its tokens are valid, and it may be sent.
    Go {
        /// The entry of its address in the suppression list.
        dead: Option<mail_suppression::Model>,
        /// Whether any mail server is on hold; the breaker knows whether it is this one.
        breaker: bool,
    },
}

/// The end of a job that sent a mail.
#[derive(Clone)]
pub(crate) struct Ending {
    pub(crate) claim: Claim,
    pub(crate) gone: Option<Gone>,
    /// The user who was welcomed by it.
    pub(crate) welcomed: Option<i64>,
}

impl MailBatcher {
    pub(crate) fn new(job_store: &JobStore) -> Self {
        let db = job_store.db().clone();
        let accounts = batched(move |ids| load(db.clone(), ids));
        let db = job_store.db().clone();
        let clearance = batched(move |requests| clear(db.clone(), requests));
        let job_store = job_store.clone();
        let endings = batched(move |endings| end(job_store.clone(), endings));
        Self {
            accounts,
            clearance,
            endings,
        }
    }

    pub(crate) async fn account(&self, user_id: i64) -> Result<Option<user::Model>, DbErr> {
        self.accounts.ask(user_id).await
    }

    pub(super) async fn clear(&self, request: SendRequest) -> Result<Clearance, DbErr> {
        self.clearance.ask(request).await
    }

    /// Records that the mail was sent and its job is done, in one transaction.
    pub(crate) async fn end(&self, ending: Ending) -> Result<(), CompleteError> {
        match self.endings.ask(ending).await? {
            true => Ok(()),
            false => Err(CompleteError::Lost),
        }
    }
}

/// One batch at a time: whatever is asked while it runs goes into the next one.
fn batched<Q, A, R>(run: impl Fn(Arc<[Q]>) -> R + Send + Sync + 'static) -> Batcher<Q, A>
where
    Q: Clone + Send + Sync + 'static,
    A: Send + 'static,
    R: Future<Output = Result<Vec<A>, DbErr>> + Send + 'static,
{
    // What is wrong with one mail must not fail the others.
    let retries = |error: &DbErr| !db::is_outage(error);
    Batcher::new(BATCH, 1, retries, move |items| db::within(CALL_LIMIT, run(items)))
}

async fn load(db: DatabaseConnection, ids: Arc<[i64]>) -> Result<Vec<Option<user::Model>>, DbErr> {
    let query = user::Entity::find().filter(user::Column::Id.is_in(ids.iter().copied()));
    let users = query.all(&db).await?;
    let users: HashMap<i64, user::Model> = users.into_iter().map(|user| (user.id, user)).collect();
    Ok(ids.iter().map(|id| users.get(id).cloned()).collect())
}

/// Six round trips and one commit, for any number of mails.
async fn clear(db: DatabaseConnection, requests: Arc<[SendRequest]>) -> Result<Vec<Clearance>, DbErr> {
    let mails: Vec<Reservation> = requests.iter().map(|request| request.mail.clone()).collect();
    let tx = db::begin(&db).await?;
    let tokens = requests.iter().flat_map(|request| request.tokens.clone()).collect();
    let open = mail_tokens::open(&tx, tokens).await?;
    // A mail whose link was replaced or has expired is not recorded.
    let is_wanted = |request: &&SendRequest| request.tokens.iter().all(|token| open.contains(token.id.as_ref()));
    let wanted: Vec<Reservation> = requests
        .iter()
        .filter(is_wanted)
        .map(|request| request.mail.clone())
        .collect();
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
    // Nothing is written for jobs whose lease was lost.
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
    // In order, so that two workers never deadlock.
    users.sort_unstable();
    user::Entity::update_many()
        .col_expr(user::Column::WelcomedAt, Expr::value(now()))
        .filter(user::Column::Id.is_in(users))
        .exec(conn)
        .await
        .map(drop)
}
