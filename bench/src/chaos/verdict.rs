//! Compares what was promised with the jobs table, with the rows that jobs wrote, and with the mail server's log.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Statement};
use usher_shared::{
    foundation::entity::{
        job::{self, JobState},
        mail, user,
    },
    jobs::{Job, WelcomeEmail},
};
use uuid::Uuid;

use super::{diary, intent::Intent, scene::Scene, worker::Chaos};

/// How often something happened that must not, and how often what may.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Committed jobs that are not in the jobs table, or neither done nor dead.
    pub lost: usize,
    /// Dead without a reason.
    pub unexplained: usize,
    /// Dead with a reason.
    pub dead: usize,
    /// Jobs of rolled-back transactions that are in the jobs table, ran, or sent a mail.
    pub ghosts: usize,
    pub effects_doubled: usize,
    /// Done without their effect, or an effect without its job being done.
    pub effects_amiss: usize,
    /// Done mail jobs whose Message-ID the server never accepted, or whose mail log does not say `sent`.
    pub mails_missing: usize,
    /// Mails at the server that no job of the jobs table explains.
    pub mails_foreign: usize,
    /// Jobs that were started more often than the jobs table let them go.
    pub runs_unexplained: usize,
    /// Mails that came more than once; each copy counts.
    pub mails_repeated: usize,
    /// Runs after a job's first; each counts.
    pub runs_repeated: usize,
    pub done: usize,
    /// What is wrong, for people; the first few.
    pub examples: Vec<String>,
}

impl Verdict {
    /// Reads everything.
    pub async fn of(scene: &Scene, intent: &Intent) -> Result<Self> {
        let db = &scene.context.db;
        let mut verdict = Self::default();
        let jobs = job::Entity::find()
            .filter(job::Column::Kind.is_in([Chaos::KIND, WelcomeEmail::KIND]))
            .all(db)
            .await?;
        let jobs: HashMap<Uuid, job::Model> = jobs.into_iter().map(|job| (job.id, job)).collect();
        let users: HashMap<i64, String> = user::Entity::find()
            .all(db)
            .await?
            .into_iter()
            .map(|user| (user.id, user.email))
            .collect();
        let welcomes: HashMap<&str, &job::Model> = jobs
            .values()
            .filter_map(|job| Some((users.get(&job.user_id?)?.as_str(), job)))
            .collect();
        verdict.endings(intent, &jobs, &welcomes);
        verdict.effects(&effects(scene).await?, &jobs);
        verdict.starts(&diary::read(&scene.diary), intent, &jobs);
        verdict.mails(scene, intent, &jobs, &welcomes).await?;
        Ok(verdict)
    }

    fn endings(&mut self, intent: &Intent, jobs: &HashMap<Uuid, job::Model>, welcomes: &HashMap<&str, &job::Model>) {
        let promised = intent.committed.iter().map(|id| (id.to_string(), jobs.get(id)));
        let greeted = intent
            .welcomed
            .iter()
            .map(|address| (address.clone(), welcomes.get(address.as_str()).copied()));
        for (what, job) in promised.chain(greeted) {
            match job.map(|job| (job.state, job.last_error.as_deref())) {
                Some((JobState::Done, _)) => self.done += 1,
                Some((JobState::Dead, Some(_))) => self.dead += 1,
                Some((JobState::Dead, None)) => {
                    self.unexplained += 1;
                    self.example(format!("{what} is dead without a reason"));
                }
                _ => {
                    self.lost += 1;
                    self.example(format!("{what} is lost: {job:?}"));
                }
            }
        }
        let risen = intent.rolled_back.iter().filter(|id| jobs.contains_key(id)).count();
        let greeted = intent
            .never_welcomed
            .iter()
            .filter(|address| welcomes.contains_key(address.as_str()));
        self.ghosts += risen + greeted.count();
    }

    fn effects(&mut self, effects: &HashMap<Uuid, usize>, jobs: &HashMap<Uuid, job::Model>) {
        for (id, count) in effects {
            if *count > 1 {
                self.effects_doubled += 1;
                self.example(format!("{id} has had its effect {count} times"));
            }
            if jobs.get(id).is_none_or(|job| job.state != JobState::Done) {
                self.effects_amiss += 1;
                self.example(format!("an effect of {id}: {:?}", jobs.get(id)));
            }
        }
        for job in jobs.values() {
            let has_effect = job.kind == Chaos::KIND && job.payload["deed"].get("effect").is_some();
            if has_effect && job.state == JobState::Done && !effects.contains_key(&job.id) {
                self.effects_amiss += 1;
                self.example(format!("done without its effect: {job:?}"));
            }
        }
    }

    fn starts(
        &mut self,
        starts: &HashMap<Uuid, Vec<chrono::DateTime<chrono::Utc>>>,
        intent: &Intent,
        jobs: &HashMap<Uuid, job::Model>,
    ) {
        for (id, times) in starts {
            self.ghosts += usize::from(intent.rolled_back.contains(id));
            self.runs_repeated += times.len() - 1;
            let allowed = jobs.get(id).map_or(0, lives);
            if times.len() > allowed {
                self.runs_unexplained += 1;
                self.example(format!(
                    "{id} was started {} times, {allowed} are explained",
                    times.len()
                ));
            }
        }
    }

    async fn mails(
        &mut self,
        scene: &Scene,
        intent: &Intent,
        jobs: &HashMap<Uuid, job::Model>,
        welcomes: &HashMap<&str, &job::Model>,
    ) -> Result<()> {
        let log: HashMap<Uuid, mail::Model> = mail::Entity::find()
            .all(&scene.context.db)
            .await?
            .into_iter()
            .filter_map(|mail| Some((mail.job_id?, mail)))
            .collect();
        let mut arrived: HashMap<String, usize> = HashMap::new();
        for mail in scene.sink.accepted() {
            self.ghosts += usize::from(intent.never_welcomed.contains(&mail.to));
            *arrived.entry(mail.message_id).or_default() += 1;
        }
        let known: HashSet<&str> = log.values().map(|mail| mail.message_id.as_str()).collect();
        self.mails_foreign = arrived.keys().filter(|id| !known.contains(id.as_str())).count();
        self.mails_repeated = arrived.values().map(|copies| copies - 1).sum();
        for job in welcomes.values().filter(|job| job.state == JobState::Done) {
            let row = log.get(&job.id);
            let copies = row.and_then(|row| arrived.get(&row.message_id)).copied().unwrap_or(0);
            if copies == 0 || row.is_none_or(|row| row.state != mail::MailState::Sent) {
                self.mails_missing += 1;
                self.example(format!("done, but its mail came {copies} times: {row:?}"));
            }
        }
        for (id, row) in &log {
            let (copies, allowed) = (
                arrived.get(&row.message_id).copied().unwrap_or(0),
                jobs.get(id).map_or(0, lives),
            );
            if copies > allowed {
                self.runs_unexplained += 1;
                self.example(format!("the mail of {id} came {copies} times, {allowed} are explained"));
            }
        }
        Ok(())
    }

    fn example(&mut self, text: String) {
        if self.examples.len() < 10 {
            self.examples.push(text);
        }
    }
}

/// How often a job may have been started: once, and once more for each return to `ready`.
fn lives(job: &job::Model) -> usize {
    usize::try_from(job.epoch).unwrap_or(0) + 1
}

/// How often each job's effect is in the database.
pub async fn effects(scene: &Scene) -> Result<HashMap<Uuid, usize>> {
    let db = &scene.context.db;
    let select = Statement::from_string(db.get_database_backend(), "SELECT job_id FROM chaos_effects");
    let mut effects = HashMap::new();
    for row in db.query_all_raw(select).await? {
        *effects
            .entry(row.try_get::<String>("", "job_id")?.parse()?)
            .or_default() += 1;
    }
    Ok(effects)
}
