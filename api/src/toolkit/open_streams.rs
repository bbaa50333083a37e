//! Whether the credentials of open streams are still good. One task asks for all of them together.

use std::{
    collections::{HashMap, HashSet},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sea_orm::{ColumnTrait, Condition, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QuerySelect};
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use usher_shared::{
    accounts::sessions,
    foundation::{
        background::run_despite_panics,
        db,
        entity::api_key::{self, Column},
        time::now,
    },
};
use uuid::Uuid;

use super::{caller::Caller, code::Code, error::ApiError, reason::Reason};

/// How often credentials are looked at: a stream ends so long after its credential at the latest.
const EVERY: Duration = Duration::from_secs(2);
/// Streams that one session can have open. Browsers have a few; API keys serve many people.
const MOST_OF_A_SESSION: usize = 32;

/// A credential as it was when the stream began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Credential {
    /// A key that was changed since may see less.
    Key {
        id: i64,
        version: i32,
    },
    Session(Uuid),
}

/// The open streams of this process, by credential.
#[derive(Clone, Debug)]
pub(crate) struct OpenStreams {
    open: Arc<Mutex<Open>>,
    /// Cancelled when the server stops.
    stopping: CancellationToken,
}

#[derive(Debug, Default)]
struct Open {
    by_credential: HashMap<Credential, Streams>,
    is_watched: bool,
}

#[derive(Debug, Default)]
struct Streams {
    count: usize,
    ended: CancellationToken,
}

/// An open stream, until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenStream {
    all: OpenStreams,
    credential: Credential,
    /// Cancelled when the credential is no longer good.
    ended: CancellationToken,
    /// When the access token's time is over.
    expiry: Option<Pin<Box<Sleep>>>,
}

impl OpenStreams {
    pub(crate) fn new(stopping: CancellationToken) -> Self {
        Self {
            open: Arc::default(),
            stopping,
        }
    }

    /// Notes a stream.
    ///
    /// # Errors
    ///
    /// If the session has too many.
    pub(crate) fn open(&self, db: &DatabaseConnection, caller: &Caller) -> Result<OpenStream, ApiError> {
        let credential = match caller {
            Caller::Key(key) => Credential::Key {
                id: key.id,
                version: key.version,
            },
            Caller::User(signed) => Credential::Session(signed.session.id),
            Caller::Anonymous => return Err(Code::AUTHENTICATION_REQUIRED.into()),
        };
        let mut open = self.lock();
        let streams = open.by_credential.entry(credential).or_default();
        // A stream that nobody reads may not have noticed its end yet.
        if streams.ended.is_cancelled() {
            streams.ended = CancellationToken::new();
        }
        if matches!(credential, Credential::Session(_)) && streams.count >= MOST_OF_A_SESSION {
            return Err(Code::TOO_MANY_STREAMS.into());
        }
        streams.count += 1;
        let ended = streams.ended.clone();
        if !open.is_watched {
            open.is_watched = true;
            let (all, db) = (self.clone(), db.clone());
            tokio::spawn(run_despite_panics("watch over open streams", move || {
                all.clone().watch(db.clone())
            }));
        }
        drop(open);
        Ok(OpenStream {
            all: self.clone(),
            credential,
            ended,
            expiry: caller.expiry(),
        })
    }

    /// Waits until no stream is open, so that each can say why it ends; a second at most.
    pub(crate) async fn ended(&self) {
        let all = async {
            while !self.lock().by_credential.is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        drop(tokio::time::timeout(Duration::from_secs(1), all).await);
    }

    /// Ends with the last stream.
    async fn watch(self, db: DatabaseConnection) {
        loop {
            tokio::time::sleep(EVERY).await;
            let known: Vec<Credential> = {
                let mut open = self.lock();
                if open.by_credential.is_empty() {
                    open.is_watched = false;
                    return;
                }
                open.by_credential.keys().copied().collect()
            };
            match db::within(EVERY, good(&db, &known)).await {
                Ok(good) => {
                    let open = self.lock();
                    let ended = known.iter().filter(|credential| !good.contains(credential));
                    for streams in ended.filter_map(|credential| open.by_credential.get(credential)) {
                        streams.ended.cancel();
                    }
                }
                // Without the database nothing is sent either.
                Err(error) => tracing::warn!(%error, "cannot look at the credentials of open streams"),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenStream {
    /// Waits until the stream has to end. Can be dropped and asked again.
    pub(crate) async fn end(&mut self) -> Reason {
        let expired = async {
            match &mut self.expiry {
                Some(expiry) => expiry.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.ended.cancelled() => Reason::CREDENTIAL_ENDED,
            () = self.all.stopping.cancelled() => Reason::SHUTTING_DOWN,
            () = expired => Reason::TOKEN_EXPIRED,
        }
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.all.lock();
        if let Some(streams) = open.by_credential.get_mut(&self.credential) {
            streams.count -= 1;
            if streams.count == 0 {
                open.by_credential.remove(&self.credential);
            }
        }
    }
}

/// Those that are still good: one statement for all keys, one for all sessions.
async fn good(db: &DatabaseConnection, known: &[Credential]) -> Result<HashSet<Credential>, DbErr> {
    let keys: Vec<i64> = known.iter().filter_map(Credential::key).collect();
    let sessions: Vec<Uuid> = known.iter().filter_map(Credential::session).collect();
    let mut good = HashSet::new();
    if !keys.is_empty() {
        let unexpired = Condition::any()
            .add(Column::ExpiresAt.is_null())
            .add(Column::ExpiresAt.gt(now()));
        let live: Vec<(i64, i32)> = api_key::Entity::find()
            .select_only()
            .columns([Column::Id, Column::Version])
            .filter(db::any_of(db, Column::Id, keys))
            .filter(Column::RevokedAt.is_null())
            .filter(unexpired)
            .into_tuple()
            .all(db)
            .await?;
        good.extend(live.into_iter().map(|(id, version)| Credential::Key { id, version }));
    }
    if !sessions.is_empty() {
        let live = sessions::still_live(db, sessions).await?;
        good.extend(live.into_iter().map(Credential::Session));
    }
    Ok(good)
}

impl Credential {
    fn key(&self) -> Option<i64> {
        match self {
            Self::Key { id, .. } => Some(*id),
            Self::Session(_) => None,
        }
    }

    fn session(&self) -> Option<Uuid> {
        match self {
            Self::Key { .. } => None,
            Self::Session(id) => Some(*id),
        }
    }
}
