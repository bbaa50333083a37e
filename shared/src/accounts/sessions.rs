//! Sessions of the API: who is signed in, with which tokens, until when. The admin manages its own sessions.
//!
//! An access token is opaque and belongs to one session, so that a lock, a sign-out or a new password takes effect with
//! the next request. A refresh replaces both tokens; see [`refresh`].

mod end;
mod impersonated;
mod live;
mod pair;
mod refresh;
mod start;

pub use end::{Which, end};
pub use live::{
    ACCESS_LIFETIME, ADMIN_IDLE, FRESH, IDLE, LIFETIME, Signed, is_fresh, list, live, load, note_factor, note_use,
    reauthenticated, run_out, still_live,
};
pub use pair::Pair;
pub use refresh::{Refreshed, refresh};
pub use start::{Device, is_known_address, is_new_device, signed_in, start};
