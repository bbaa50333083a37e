//! The hooks of a program, and running them.

use std::{fmt, pin::Pin};

use sea_orm::{DatabaseTransaction, DbErr, RuntimeErr};

use super::{
    error::HookError,
    events::{
        UserChanged, UserCreated, UserDeleted, UserEvent, UserEventKind, UserPurged, UserRestored, UserSignedIn,
        UserVerified,
    },
};
use crate::{
    audit::Actor,
    foundation::{
        Registered,
        db::{ANSWER_LIMIT, Transactional},
    },
    jobs::{EnqueueError, EnqueueOptions, Enqueued, Job, enqueue_polled},
};

/// The product's hooks.
pub(in crate::accounts) static HOOKS: Registered<UserHooks> = Registered::new();

/// The transaction that a hook runs in, and who caused the event.
#[derive(Clone, Copy, Debug)]
pub struct HookContext<'a> {
    /// What a hook writes here is committed with what it follows, or not at all. A hook that changes the account itself
    /// runs the hooks again.
    pub tx: &'a DatabaseTransaction,
    pub actor: &'a Actor,
}

impl HookContext<'_> {
    /// Enqueues a job in the transaction, caused by the actor. It has no wake-up: a worker finds it when it next polls
    /// the jobs table, within about a second of the commit.
    pub async fn enqueue<J: Job>(&self, job: J) -> Result<Enqueued, EnqueueError> {
        self.enqueue_with(job, EnqueueOptions::by(self.actor)).await
    }

    /// [`HookContext::enqueue`], with options of its own.
    pub async fn enqueue_with<J: Job>(&self, job: J, options: EnqueueOptions) -> Result<Enqueued, EnqueueError> {
        enqueue_polled(self.tx, job, options).await
    }
}

/// What a hook returns, in a box.
pub type HookFuture<'a> = Pin<Box<dyn Future<Output = Result<(), HookError>> + Send + 'a>>;

/// A hook on an event of type `E`: any `async fn(&HookContext<'_>, &E) -> Result<(), HookError>`, and an async closure
/// that names these types and captures nothing.
pub trait UserHook<'a, E: 'a>: Fn(&'a HookContext<'a>, &'a E) -> Self::Future + Send + Sync + 'static {
    type Future: Future<Output = Result<(), HookError>> + Send + 'a;
}

impl<'a, E: 'a, F, R> UserHook<'a, E> for F
where
    F: Fn(&'a HookContext<'a>, &'a E) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), HookError>> + Send + 'a,
{
    type Future = R;
}

type Run = dyn for<'a> Fn(&'a HookContext<'a>, &'a UserEvent<'a>) -> Option<HookFuture<'a>> + Send + Sync;

/// The hooks of a product, which run in the order in which they were added.
///
/// If a hook fails, what it follows is rolled back. Its effects outside the transaction are not, so it writes through
/// [`HookContext::tx`] alone and leaves the rest to a job. It should need no more than a few statements: users who are
/// created at the same time share a transaction, and on SQLite all others wait. After 30 s it has failed.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use usher_shared::{
///     accounts::{
///         Extensions, extend,
///         hooks::{HookContext, HookError, UserChanged, UserCreated, UserHooks},
///     },
///     foundation::rules::Violation,
///     jobs::Job,
/// };
///
/// #[derive(Serialize, Deserialize)]
/// struct OpenFirstTicket {
///     user_id: i64,
/// }
///
/// impl Job for OpenFirstTicket {
///     const KIND: &'static str = "open_first_ticket";
/// }
///
/// async fn welcome(context: &HookContext<'_>, event: &UserCreated<'_>) -> Result<(), HookError> {
///     let user_id = event.user.id;
///     context.enqueue(OpenFirstTicket { user_id }).await?;
///     Ok(())
/// }
///
/// async fn only_ours(_: &HookContext<'_>, event: &UserChanged<'_>) -> Result<(), HookError> {
///     if event.user.email_key.ends_with("@example.net") {
///         return Err(HookError::refuse("email", Violation::value("Use your company's address")));
///     }
///     Ok(())
/// }
///
/// extend(Extensions {
///     hooks: UserHooks::new().on_user_created(welcome).on_user_changed(only_ours),
///     ..Extensions::default()
/// });
/// ```
#[derive(Default)]
pub struct UserHooks(Vec<(UserEventKind, Box<Run>)>);

impl UserHooks {
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    #[must_use]
    pub fn on_user_created<F>(self, hook: F) -> Self
    where
        F: for<'a> UserHook<'a, UserCreated<'a>>,
    {
        self.on(UserEventKind::Created, move |context, event| match event {
            UserEvent::Created(event) => Some(Box::pin(hook(context, event))),
            _ => None,
        })
    }

    #[must_use]
    pub fn on_user_verified<F>(self, hook: F) -> Self
    where
        F: for<'a> UserHook<'a, UserVerified<'a>>,
    {
        self.on(UserEventKind::Verified, move |context, event| match event {
            UserEvent::Verified(event) => Some(Box::pin(hook(context, event))),
            _ => None,
        })
    }

    #[must_use]
    pub fn on_user_changed<F>(self, hook: F) -> Self
    where
        F: for<'a> UserHook<'a, UserChanged<'a>>,
    {
        self.on(UserEventKind::Changed, move |context, event| match event {
            UserEvent::Changed(event) => Some(Box::pin(hook(context, event))),
            _ => None,
        })
    }

    #[must_use]
    pub fn on_user_deleted<F>(self, hook: F) -> Self
    where
        F: for<'a> UserHook<'a, UserDeleted<'a>>,
    {
        self.on(UserEventKind::Deleted, move |context, event| match event {
            UserEvent::Deleted(event) => Some(Box::pin(hook(context, event))),
            _ => None,
        })
    }

    #[must_use]
    pub fn on_user_restored<F>(self, hook: F) -> Self
    where
        F: for<'a> UserHook<'a, UserRestored<'a>>,
    {
        self.on(UserEventKind::Restored, move |context, event| match event {
            UserEvent::Restored(event) => Some(Box::pin(hook(context, event))),
            _ => None,
        })
    }

    #[must_use]
    pub fn on_user_purged<F>(self, hook: F) -> Self
    where
        F: for<'a> UserHook<'a, UserPurged<'a>>,
    {
        self.on(UserEventKind::Purged, move |context, event| match event {
            UserEvent::Purged(event) => Some(Box::pin(hook(context, event))),
            _ => None,
        })
    }

    #[must_use]
    pub fn on_user_signed_in<F>(self, hook: F) -> Self
    where
        F: for<'a> UserHook<'a, UserSignedIn<'a>>,
    {
        self.on(UserEventKind::SignedIn, move |context, event| match event {
            UserEvent::SignedIn(event) => Some(Box::pin(hook(context, event))),
            _ => None,
        })
    }

    /// These hooks and after them the others, such as those of another app.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    fn on<F>(mut self, kind: UserEventKind, run: F) -> Self
    where
        F: for<'a> Fn(&'a HookContext<'a>, &'a UserEvent<'a>) -> Option<HookFuture<'a>> + Send + Sync + 'static,
    {
        self.0.push((kind, Box::new(run)));
        self
    }
}

impl fmt::Debug for UserHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(kind, _)| kind)).finish()
    }
}

/// Whether the program has a hook on one of these events.
pub(in crate::accounts) fn has_hooks(on: &[UserEventKind]) -> bool {
    HOOKS
        .get()
        .is_some_and(|hooks| hooks.0.iter().any(|(kind, _)| on.contains(kind)))
}

/// Runs the hooks on this event.
pub(in crate::accounts) async fn run(
    conn: &impl Transactional,
    actor: &Actor,
    event: UserEvent<'_>,
) -> Result<(), HookError> {
    let context = HookContext {
        tx: conn.transaction(),
        actor,
    };
    for (_, run) in HOOKS.get().map_or(&[][..], |hooks| &hooks.0) {
        if let Some(running) = run(&context, &event) {
            limited(running).await?;
        }
    }
    Ok(())
}

/// A hook holds locks in somebody else's transaction, so it must end.
pub(in crate::accounts) async fn limited(running: HookFuture<'_>) -> Result<(), HookError> {
    match tokio::time::timeout(ANSWER_LIMIT, running).await {
        Ok(done) => done,
        Err(_) => {
            let late = format!("a hook did not end within {ANSWER_LIMIT:?}");
            Err(DbErr::Conn(RuntimeErr::Internal(late)).into())
        }
    }
}
