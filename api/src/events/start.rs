//! Where a reader of the stream begins.

use usher_shared::events::Feed;

use crate::toolkit::{code::Code, error::ApiError};

/// The position after which a reader begins that has come to `after`; 0 is before the oldest event there is.
///
/// # Errors
///
/// [`Code::POSITION_UNKNOWN`] where the stream has not come so far, [`Code::EVENTS_REMOVED`] where it doesn't go back so
/// far any more.
pub(super) async fn after(events: &Feed, after: i64) -> Result<i64, ApiError> {
    let removed = events.removed_through().await?;
    if after == 0 {
        return Ok(removed);
    }
    if after < removed {
        return Err(Code::EVENTS_REMOVED.into());
    }
    if after > events.newest().await? && after > events.newest_taken().await? {
        return Err(Code::POSITION_UNKNOWN.into());
    }
    Ok(after)
}
