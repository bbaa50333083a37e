//! Accounts: how they are made, found, changed and deleted, whichever service asks.

mod batch_inserter;
mod change;
mod creation;
mod deletion;
mod email;
mod events;
mod export;
mod find;
mod mails;
mod password;
mod proof;
mod purge;
mod search_text;
mod sign_up;
mod write;

pub use batch_inserter::UserBatchInserter;
pub use change::{Edit, StatusChange, change_status, edit};
pub use creation::{
    CreateUserError, NewUser, announce_created, create, create_external, create_quietly, create_staff, create_superuser,
};
pub use deletion::{DELETION_DELAY, RESTORABLE, delete, delete_if_due, keep, restore, schedule_deletion};
pub use email::{EmailChangeError, ask_email_change, confirm_email_change, has_no_address, undo_email_change};
pub use export::{EXPORT_ROWS, export, export_rows};
pub use find::{Directory, find_by_email_key, find_external_for_change, find_for_change};
pub use mails::{send_password_reset, send_verification};
pub use password::{keep_rehashed, replace_password, reset_password, set_first_password};
pub use proof::{RedeemedLink, holder, redeem_link};
pub use purge::purge;
pub use search_text::fill_search_texts;
pub use sign_up::{NOBODY, SignUpError, mailed, sign_up, verify_email};
pub use write::ChangeError;
pub(in crate::accounts) use write::{plain, store};
