//! The sentences that Rust code puts on pages, by page; templates and declarations of models hold their own. A sentence
//! that is long or used in several places is written here once.

/// Sign-in, confirmation, and forms kept over a sign-in.
pub(crate) mod sign_in {
    pub(crate) const REFUSED: &str = "Wrong email or password, or the account can't sign in here.";
    pub(crate) const TOO_OLD: &str = "This page was open too long. Sign in again.";
    pub(crate) const FORM_KEPT: &str = "You were signed out before this form was submitted. Sign in to get it back.";
    pub(crate) const PASSWORDS_NOT_KEPT: &str =
        "You were signed out before this form was submitted, and passwords aren't kept. Sign in, then try again.";
    pub(crate) const FORM_TOO_LARGE: &str = "You were signed out before this form was submitted, and it was too large \
         to keep. Sign in, go back in your browser and submit it again.";
    pub(crate) const FILE_NOT_KEPT: &str =
        "You were signed out before the file was uploaded. Sign in, then choose the file again.";
    pub(crate) const KEPT_TITLE: &str = "We kept your form";
    pub(crate) const CONFIRM_TITLE: &str = "Confirm it's you";
    pub(crate) const WRONG_CONFIRMATION: &str = "Wrong password or code. Try again.";
}

/// The code page and the setup page.
pub(crate) mod two_factor {
    pub(crate) const WRONG_CODE: &str = "This code is wrong, expired or already used. Wait for the next one.";
    pub(crate) const TITLE: &str = "Two-factor authentication";
    pub(crate) const SET_UP_TITLE: &str = "Set up two-factor authentication";
    pub(crate) const SIGNED_OUT: &str = "You were signed out. Sign in to get your form back.";
    pub(crate) const TOO_OLD: &str = "This page was open too long. Enter the code again.";
    pub(crate) const SET_UP_TOO_LATE: &str =
        "Setup took longer than 15 minutes, so there's a new secret. Scan it, then enter the code your app shows.";
}

/// The page of the own account.
pub(crate) mod account {
    pub(crate) const TITLE: &str = "Your account";
    pub(crate) const UNKNOWN_DEVICE: &str = "Unknown device";
    pub(crate) const WRONG_PASSWORD: &str = "Wrong password. Enter your current password";
    pub(crate) const PASSWORDS_DIFFER: &str = "The passwords don't match. Enter the new password again";
    pub(crate) const PASSWORD_CHANGED: &str = "Password changed. You've been signed out everywhere else.";
    pub(crate) const LAST_FACTOR: &str =
        "Two-factor authentication is required, and this is your only authenticator. Add another one first.";
    pub(crate) const FACTOR_REMOVED: &str = "Authenticator removed";
    pub(crate) const NO_FACTOR: &str = "Set up two-factor authentication first. Recovery codes are its backup.";
    pub(crate) const NO_SESSIONS: &str = "No other session was active";
}

/// Ending an impersonation.
pub(crate) mod impersonation {
    pub(crate) const ENDED: &str = "Impersonation ended. Its token no longer works";
    pub(crate) const NONE: &str = "You weren't impersonating anyone";
}

/// Actions on users.
pub(crate) mod users {
    pub(crate) const RESET_MFA_ABOUT: &str = "The selected authenticators are removed. Recovery codes go with the \
         last one. We'll notify the user by email.";
    pub(crate) const IMPERSONATE_ABOUT: &str = "You get a token that acts as this user in the API for ten minutes. It \
         can't change their password, email address or two-factor authentication, or delete the account. Actions are \
         logged under your name.";
    pub(crate) const DELETE_ABOUT: &str = "The account is hidden and can't sign in. You can restore it until it's \
         purged. Its sessions end; its email address stays reserved.";
    pub(crate) const SET_ROLES_ABOUT: &str =
        "Roles control what staff can do here. Changes apply from their next request.";
    pub(crate) const LOCK_ABOUT: &str =
        "Locked users can't sign in, and their sessions are rejected until the lock ends.";
    pub(crate) const NOT_IMPERSONATED: &str = "staff and accounts that can't sign in can't be impersonated";
}

/// API keys.
pub(crate) mod api_keys {
    pub(crate) const ABOUT: &str =
        "Credentials for other services. A key is shown once, when it's created; only its SHA-256 hash is stored.";
    pub(crate) const ROTATE_ABOUT: &str = "The key gets a new secret, shown once. The old one keeps working for a \
         day, so services can switch over without downtime.";
    pub(crate) const REVOKE_ABOUT: &str =
        "Requests with this key are rejected immediately. This can't be undone; create a new key instead.";
    pub(crate) const NETWORKS_HELP: &str =
        "Networks such as 10.0.0.0/8 or single addresses, separated by spaces. Leave empty to allow any address";
    pub(crate) const ALREADY_REVOKED: &str = "already revoked";
}

/// Webhooks.
pub(crate) mod webhooks {
    pub(crate) const ABOUT: &str =
        "Other services that are told what happens, by the Standard Webhooks specification. The secret is shown once.";
    pub(crate) const URL_HELP: &str = "Where events are sent, such as https://example.org/webhooks";
    pub(crate) const ROTATE_ABOUT: &str = "The webhook gets a new secret, shown once. Requests are signed with the old \
         one as well for 24 hours, so the receiver can switch over without a gap.";
    pub(crate) const ENABLED: &str = "already enabled";
    pub(crate) const DISABLED: &str = "disabled";

    pub(crate) fn created(secret: &str) -> String {
        format!("Webhook created. Copy its secret now, it won't be shown again: {secret}")
    }

    pub(crate) fn rotated(secret: &str) -> String {
        format!("Keys rotated. Copy the new secret now, it won't be shown again: {secret}")
    }
}

/// Importing from a file.
pub(crate) mod imports {
    pub(crate) const EMPTY_FILE: &str = "Choose a file that isn't empty";
    pub(crate) const PREVIEW_TITLE: &str = "Import preview";
    pub(crate) const TITLE: &str = "Import";
    pub(crate) const CANCELLED: &str = "The job was cancelled. Lines already imported are kept.";
    pub(crate) const NO_RESULT: &str = "The job left no result. Upload the file again.";
    pub(crate) const ERRORS: &str = "Errors";
    pub(crate) const UNCHANGED: &str = "Unchanged";
}

/// Importing users from a file.
pub(crate) mod user_import {
    pub(crate) const FORM_TITLE: &str = "Import users";
    pub(crate) const TITLE: &str = "User import";
    pub(crate) const ABOUT: &str =
        "Users are matched by email address: existing users are updated, and nobody is added twice.";
    pub(crate) const BLANK_CLEARS: &str = "Blank cells will clear existing values.";
}

/// Jobs.
pub(crate) mod jobs {
    pub(crate) const DELETE_ABOUT: &str =
        "This permanently deletes the job and its attempts. It doesn't undo what the job did.";
    pub(crate) const CANCEL_ABOUT: &str =
        "Waiting jobs are cancelled immediately. The workers of running jobs are asked to stop.";
    pub(crate) const ABOUT: &str =
        "Background work. A job is stored in the same transaction as the change that caused it.";
}

/// Queues, and jobs that wait in a paused one.
pub(crate) mod queues {
    pub(crate) const LIMIT_RANGE: &str =
        "Enter a number from 1 to 1,000,000, or leave this empty for no limit. To stop a queue, pause it";
    pub(crate) const NAME_RULE: &str = "Use letters, digits, _, - and . in the name, 100 characters at most";
    pub(crate) const ALREADY_LISTED: &str = "This queue is already listed. Open it to change its limits";

    /// Follows the result of an action that made jobs of a paused queue wait.
    pub(crate) fn paused(queue: &str, waiting: &str) -> String {
        format!("the queue {queue} is paused, so {waiting} until you resume it")
    }
}

/// Emails and the suppression list.
pub(crate) mod emails {
    pub(crate) const LINKS_FORBIDDEN: &str =
        "Links in emails give access to the recipient's account, so only superusers can view them.";
    pub(crate) const LINKS_TITLE: &str = "Email links";
    pub(crate) const TITLE: &str = "Emails";
    pub(crate) const SERVER_RESPONSE: &str = "Server response";
}

/// Why an object was skipped, after "Nothing was done: ".
pub(crate) mod refusals {
    pub(crate) const GONE: &str = "it no longer exists";
}
