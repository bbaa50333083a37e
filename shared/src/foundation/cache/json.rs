//! Values as they are kept.

use std::sync::Arc;

use serde::{Serialize, de::DeserializeOwned};

/// A value as JSON.
pub(super) type Json = Arc<[u8]>;

/// Nothing if it is no `T`.
pub(super) fn read<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    serde_json::from_slice(json).ok()
}

/// Nothing for what JSON can't say, such as a map whose keys aren't text.
pub(super) fn written<T: Serialize>(value: &T) -> Option<Json> {
    match serde_json::to_vec(value) {
        Ok(json) => Some(json.into()),
        Err(error) => {
            tracing::error!(%error, "a value isn't cached, because it can't be written as JSON");
            None
        }
    }
}
