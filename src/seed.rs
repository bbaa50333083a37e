//! `usher seed`: realistic users in bulk, for trying things at scale.

mod people;

use std::time::Instant;

use anyhow::{Error, Result, ensure};
use chrono::{DateTime, Duration, Utc};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use sea_orm::{ActiveValue::Set, ConnectionTrait, DatabaseConnection, EntityTrait, QueryOrder, QuerySelect};
use serde_json::json;
use usher_shared::{
    AppContext,
    accounts::users,
    audit::{self, Actor, Entry},
    foundation::{
        config::Config,
        crypto, db,
        entity::{
            audit_log,
            job::{self, JobState},
            mail::{self, MailState},
            session::{self, SessionKind},
            user::{self, UserStatus},
        },
        rules::Email,
        search,
        time::now,
    },
    jobs::{Job, WelcomeEmail},
};
use uuid::{Builder, Uuid};

use crate::{app::Run, database, output};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many users to add; each comes with a job, an email and an audit log entry, some with sessions
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    users: u64,
    /// The same number generates the same people
    #[arg(long, default_value_t = 1)]
    random_seed: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Users per transaction. A row has up to 24 values, and SQLite accepts 32,766 per statement.
const BATCH: u64 = 1_000;
/// Sign-ups are spread over this time, up to now.
const HISTORY: Duration = Duration::days(730);

pub async fn run(config: &Config, seeds: &[Run<u64>], args: &Args) -> Result<()> {
    let db = database::open(config).await?;
    let began = Instant::now();
    let newest = user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .order_by_desc(user::Column::Id);
    let newest: Option<i64> = newest.into_tuple().one(&db).await?;
    let mut seeder = Seeder {
        db,
        random: SmallRng::seed_from_u64(args.random_seed ^ u64::try_from(newest.unwrap_or(0))?),
        now: now(),
        next: newest.unwrap_or(0) + 1,
        made: 0,
        product_name: config.product_name.clone(),
        each: HISTORY / i32::try_from(args.users)?,
    };
    let bar = output::progress(args.users, "users");
    let mut made = 0;
    while made < args.users {
        let count = BATCH.min(args.users - made);
        seeder.batch(count).await.map_err(|error| explained(error, made))?;
        made += count;
        bar.set_position(made);
    }
    bar.finish_and_clear();
    users::fill_search_texts(&seeder.db).await?;
    for seed in seeds {
        seed(made, AppContext::with(config.clone(), seeder.db.clone(), false)).await?;
    }
    seeder.refresh_statistics().await?;
    let seconds = began.elapsed().as_secs_f64();
    if args.json {
        output::json(&json!({"users": made, "seconds": seconds}));
    } else {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = made as f64 / seconds;
        output::line(format_args!(
            "Added {made} users with jobs, emails, sessions and audit log entries in {seconds:.1} s ({rate:.0}/s)."
        ));
    }
    Ok(())
}

fn explained(error: Error, made: u64) -> Error {
    if error.downcast_ref().is_some_and(db::is_disk_full) {
        error.context(format!(
            "the database's disk is full after {made} users, which are kept; free some space and seed the rest"
        ))
    } else {
        error
    }
}

struct Seeder {
    db: DatabaseConnection,
    random: SmallRng,
    now: DateTime<Utc>,
    /// The id that the next user should get; it makes the address unique.
    next: i64,
    made: i32,
    product_name: String,
    /// The time between two sign-ups.
    each: Duration,
}

impl Seeder {
    async fn batch(&mut self, count: u64) -> Result<()> {
        let tx = db::begin(&self.db).await?;
        let rows: Vec<_> = (0..count).map(|_| self.user()).collect();
        let users = user::Entity::insert_many(rows).exec_with_returning(&tx).await?;
        ensure!(
            users.len() as u64 == count,
            "the database stored {} of {count} users",
            users.len()
        );
        let (mut jobs, mut mails, mut sessions, mut audit) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for user in &users {
            let job = self.job(user);
            mails.extend(self.mail(user, &job));
            jobs.push(job);
            audit.push(audit_row(user));
            if user.last_login_at.is_some() {
                sessions.extend((0..self.random.random_range(1..3)).map(|_| self.session(user)));
            }
        }
        job::Entity::insert_many(jobs).exec_without_returning(&tx).await?;
        mail::Entity::insert_many(mails).exec_without_returning(&tx).await?;
        audit_log::Entity::insert_many(audit)
            .exec_without_returning(&tx)
            .await?;
        users::announce_created(&tx, &users, &seeder()).await?;
        if !sessions.is_empty() {
            session::Entity::insert_many(sessions)
                .exec_without_returning(&tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    fn user(&mut self) -> user::ActiveModel {
        let (first, last) = people::name(&mut self.random);
        let email = format!(
            "{}.{}.{}@{}",
            people::plain(first),
            people::plain(last),
            self.next,
            people::domain(&mut self.random)
        );
        self.next += 1;
        let created_at = self.sign_up();
        let status = match self.random.random_range(0..100) {
            0 | 1 => UserStatus::Locked,
            2..5 => UserStatus::Deactivated,
            _ => UserStatus::Active,
        };
        let verified = self
            .random
            .random_bool(0.8)
            .then(|| created_at + Duration::minutes(self.random.random_range(1..600)))
            .map(|at| at.min(self.now));
        let logged_in = verified.filter(|_| self.random.random_bool(0.7));
        let name = format!("{first} {last}");
        user::ActiveModel {
            search_text: Set(Some(search::text_of(&name, &email))),
            email_key: Set(Email::key_of(&email)),
            email: Set(email),
            name: Set(name),
            age: Set(self.random.random_bool(0.6).then(|| self.random.random_range(16..90))),
            status: Set(status),
            locked_until: Set((status == UserStatus::Locked).then(|| self.now + Duration::days(14))),
            lock_reason: Set((status == UserStatus::Locked).then(|| "Reported by other users".to_owned())),
            is_staff: Set(false),
            is_superuser: Set(false),
            password_changed_at: Set(verified),
            email_verified_at: Set(verified),
            welcomed_at: Set(Some(created_at + Duration::seconds(1))),
            last_login_at: Set(logged_in.map(|from| from + (self.now - from) / 3 * self.random.random_range(0..3))),
            version: Set(1),
            created_at: Set(created_at),
            updated_at: Set(created_at),
            ..Default::default()
        }
    }

    fn job(&mut self, user: &user::Model) -> job::ActiveModel {
        let dead = self.random.random_bool(0.01);
        let finished_at = user.created_at + Duration::milliseconds(self.random.random_range(5..900));
        job::ActiveModel {
            id: Set(self.id_at(user.created_at)),
            queue: Set(WelcomeEmail::QUEUE.to_owned()),
            kind: Set(WelcomeEmail::KIND.to_owned()),
            version: Set(WelcomeEmail::VERSION),
            payload: Set(json!({"user_id": user.id})),
            state: Set(if dead { JobState::Dead } else { JobState::Done }),
            priority: Set(WelcomeEmail::PRIORITY.number()),
            run_at: Set(user.created_at),
            next_dispatch_at: Set(user.created_at),
            epoch: Set(0),
            attempt: Set(if dead { 10 } else { 1 }),
            crashes: Set(0),
            cancel_requested: Set(false),
            user_id: Set(Some(user.id)),
            actor: Set(Some("system".to_owned())),
            last_error: Set(dead.then(|| "550 5.1.1 no such mailbox".to_owned())),
            created_at: Set(user.created_at),
            started_at: Set(Some(user.created_at)),
            finished_at: Set(Some(finished_at)),
            ..Default::default()
        }
    }

    fn mail(&mut self, user: &user::Model, job: &job::ActiveModel) -> Option<mail::ActiveModel> {
        let (job_id, failed) = (*job.id.try_as_ref()?, *job.state.try_as_ref()? == JobState::Dead);
        Some(mail::ActiveModel {
            id: Set(self.id_at(user.created_at)),
            job_id: Set(Some(job_id)),
            kind: Set(WelcomeEmail::KIND.to_owned()),
            user_id: Set(Some(user.id)),
            to_address: Set(user.email.clone()),
            subject: Set(format!("Welcome to {}", self.product_name)),
            state: Set(if failed { MailState::Failed } else { MailState::Sent }),
            message_id: Set(format!("<{}@usher.example>", job_id.simple())),
            answer: Set(Some(
                if failed {
                    "550 5.1.1 no such mailbox"
                } else {
                    "250 2.0.0 Ok"
                }
                .to_owned(),
            )),
            created_at: Set(user.created_at),
            sent_at: Set((!failed).then_some(user.created_at + Duration::seconds(1))),
            ..Default::default()
        })
    }

    fn session(&mut self, user: &user::Model) -> session::ActiveModel {
        let from = user.last_login_at.unwrap_or(user.created_at);
        session::ActiveModel {
            id: Set(self.id_at(from)),
            user_id: Set(user.id),
            kind: Set(SessionKind::Api),
            // The hash of no token.
            token_hash: Set(crypto::random::<32>().to_vec()),
            address: Set(Some(format!("198.51.100.{}", self.random.random_range(1..255)))),
            user_agent: Set(Some(people::browser(&mut self.random).to_owned())),
            created_at: Set(from),
            last_seen_at: Set(from),
            expires_at: Set(from + Duration::days(30)),
            ..Default::default()
        }
    }

    /// When the next user signed up: ids and sign-up times rise together.
    fn sign_up(&mut self) -> DateTime<Utc> {
        let since =
            self.each * self.made + Duration::milliseconds(self.random.random_range(0..=self.each.num_milliseconds()));
        self.made += 1;
        self.now - HISTORY + since
    }

    /// A UUID of that time. A generator of UUIDs never goes back in time, but sign-ins are not in order.
    fn id_at(&mut self, at: DateTime<Utc>) -> Uuid {
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
        Builder::from_unix_timestamp_millis(millis, &self.random.random()).into_uuid()
    }

    /// The query planner and the estimated counts of long lists depend on them.
    async fn refresh_statistics(&self) -> Result<()> {
        self.db.execute_unprepared("ANALYZE").await?;
        Ok(())
    }
}

fn audit_row(user: &user::Model) -> audit_log::ActiveModel {
    let entry = Entry {
        action: "create",
        object_type: "user",
        object_id: Some(user.id.to_string()),
        object_label: Some(user.email.clone()),
        changes: Some(json!({"name": [null, user.name]})),
        reason: None,
    };
    audit::row(user.created_at, &seeder(), entry)
}

fn seeder() -> Actor {
    Actor {
        label: "seed".to_owned(),
        ..Actor::system()
    }
}
