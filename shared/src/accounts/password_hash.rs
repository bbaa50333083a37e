//! Hashing and verifying passwords with Argon2id, off the async threads, and never more at once than there are cores.

mod argon2id;

use std::sync::LazyLock;

use thiserror::Error;
use tokio::sync::Semaphore;

use crate::foundation::rules::Password;

/// Hashing failed.
#[derive(Debug, Error)]
#[error("cannot hash the password")]
pub struct HashError;

/// Each hash takes 19 MiB, and more than one per core would only slow down all of them.
static SLOTS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)));

/// The hash of a random, unknown password with the parameters of [`hash`], so that an unknown account takes as long as
/// a known one.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$KLatq/Abf28lrHm0gJcw5g$q89yNU/EDb/igX/yFPSVsL/TYZFOxn0NrDnYejRbjx4";

/// Argon2id with OWASP's parameters (19 MiB, 2 passes, 1 lane), in PHC form.
pub async fn hash(password: &Password) -> Result<String, HashError> {
    let bytes = password.as_bytes().to_vec();
    bounded(move || argon2id::hash(&bytes).ok())
        .await
        .flatten()
        .ok_or(HashError)
}

/// Whether the password is the stored one. Without a stored hash it takes as long and returns false.
///
/// Compares its [normal form](Password::normal), and then the raw text if that differs: hashes from before passwords
/// were normalized are still valid.
pub async fn verify(raw: &str, stored: Option<&str>) -> bool {
    // Too long for any password: rejected without work.
    let Some(normal) = Password::normal(raw) else {
        return false;
    };
    if is_hash_of(normal.as_bytes(), stored).await {
        return true;
    }
    normal != raw && is_hash_of(raw.as_bytes(), stored).await
}

/// A new hash of a password that was just verified, if the stored one has other parameters than [`hash`] uses or is not
/// of the normal form.
pub async fn rehash(raw: &str, stored: &str) -> Option<String> {
    let normal = Password::normal(raw)?.into_bytes();
    if argon2id::is_current(stored) && (normal == raw.as_bytes() || is_hash_of(&normal, Some(stored)).await) {
        return None;
    }
    bounded(move || argon2id::hash(&normal).ok()).await?
}

async fn is_hash_of(password: &[u8], stored: Option<&str>) -> bool {
    let (password, stored) = (password.to_vec(), stored.map(str::to_owned));
    bounded(move || {
        let hash = stored.as_deref().unwrap_or(DECOY);
        let matches = argon2id::verify(&password, hash).unwrap_or(false);
        stored.is_some() && matches
    })
    .await
    .unwrap_or(false)
}

/// [`verify`] for a parsed password.
pub async fn matches(password: &Password, stored: Option<&str>) -> bool {
    verify(&String::from_utf8_lossy(password.as_bytes()), stored).await
}

async fn bounded<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let slot = SLOTS.acquire().await.ok()?;
    let done = tokio::task::spawn_blocking(work).await.ok();
    drop(slot);
    done
}
