//! Second factors: authenticator apps (RFC 6238), and recovery codes that stand in for them.

mod challenge;
mod enrolment;
mod factors;
mod recovery;
mod reseal;
pub mod totp;

pub use challenge::{CHALLENGE_LIFETIME, MAX_ATTEMPTS, challenge, close_challenges, pass, try_challenge};
pub use enrolment::{ENROLMENT_LIFETIME, cancel_enrolment, enrol, forget_enrolments, waiting};
pub use factors::{
    DEFAULT_LABEL, MfaError, confirm, factors, forget_all, has_factor, otpauth_address, remove, secret, verify,
};
pub use recovery::{RECOVERY_CODES, count_recovery_codes, make_recovery_codes, use_recovery_code};
pub use reseal::{Resealed, reseal};
