//! One job of the jobs table: it exists if and only if the change that caused it committed.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    /// UUIDv7, so ids sort by creation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub queue: String,
    /// What to do, such as `welcome_email`; stable.
    pub kind: String,
    /// The version of the payload's format.
    pub version: i16,
    pub payload: Json,
    pub state: JobState,
    /// Smaller runs first; see [`crate::jobs::Priority`].
    pub priority: i16,
    /// Not before this time.
    pub run_at: DateTimeUtc,
    /// When workers may poll it, after its wake-up had time to arrive.
    pub next_dispatch_at: DateTimeUtc,
    /// Counts returns to `ready`; part of the wake-up, so that an old wake-up claims nothing.
    pub epoch: i32,
    /// Claims so far; the first run is attempt 1.
    pub attempt: i32,
    /// Overrides the kind's own number of attempts.
    pub max_attempts: Option<i32>,
    pub crashes: i32,
    /// Overrides the kind's own time limit.
    pub timeout_seconds: Option<i32>,
    pub expires_at: Option<DateTimeUtc>,
    pub lease_until: Option<DateTimeUtc>,
    /// Only the worker that holds this token may complete the job.
    pub lease_token: Option<Uuid>,
    pub worker: Option<String>,
    pub cancel_requested: bool,
    pub unique_key: Option<String>,
    /// The job that waits for this one.
    pub parent_id: Option<Uuid>,
    /// Not due until every job that has it as `parent_id` has ended.
    pub waits: bool,
    /// The user it concerns.
    pub user_id: Option<i64>,
    /// Who caused it, such as `api_key:7`.
    pub actor: Option<String>,
    /// W3C `traceparent` of the request that caused it.
    pub trace_context: Option<String>,
    /// Percent, 0–100.
    pub progress: Option<i16>,
    pub result: Option<Json>,
    pub last_error: Option<String>,
    pub created_at: DateTimeUtc,
    pub started_at: Option<DateTimeUtc>,
    pub finished_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}

/// SQL for all jobs in the state `ready`: those that are due or will be, those that lost a worker, those that wait for
/// others. Each part has an index. There is none on the state alone, so without these parts the database would read a
/// million done jobs to find a ready one.
pub const READY: &str = "state = 'ready' AND (crashes = 0 AND NOT waits OR crashes > 0 OR waits)";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum JobState {
    Ready,
    Running,
    Done,
    Dead,
    Cancelled,
}
