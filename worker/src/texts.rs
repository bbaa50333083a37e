//! Every text of a mail, once. `{product}`, `{app}` and `{admin}` are filled in when the mail is made.

/// The text of a mail.
pub(crate) struct Words {
    pub(crate) subject: &'static str,
    pub(crate) lines: &'static [&'static str],
    /// Why the reader gets this mail, and what to do if they didn't expect it: the small print.
    pub(crate) why: &'static str,
}

// Sentences that several mails share.
const NOT_YOU: &str =
    "If it wasn't you, someone else has access to your account. Set a new password at {app} right away.";
const ABOUT_SECURITY: &str = "You're receiving this email because it's about the security of your {product} account.";

// Names of facts and buttons.
pub(crate) const WHEN: &str = "When";
pub(crate) const DEVICE: &str = "Device";
pub(crate) const ADDRESS: &str = "IP address";
pub(crate) const SIGNED_IN: &str = "Signed in";
pub(crate) const URL: &str = "URL";
pub(crate) const REASON: &str = "Reason";
pub(crate) const KEY: &str = "Key";
pub(crate) const DELETED: &str = "Deleted";
pub(crate) const RESTORABLE_UNTIL: &str = "Can be restored until";
pub(crate) const DELETION_DATE: &str = "Deletion date";
pub(crate) const UNKNOWN: &str = "unknown";
pub(crate) const UNKNOWN_ADDRESS: &str = "unknown address";

pub(crate) const SET_PASSWORD_BUTTON: &str = "Set your password";
pub(crate) const NEW_PASSWORD_BUTTON: &str = "Set a new password";
pub(crate) const VERIFY_BUTTON: &str = "Confirm email address";
pub(crate) const EMAIL_CHANGE_BUTTON: &str = "Use this address";
pub(crate) const UNDO_BUTTON: &str = "Undo the change";
pub(crate) const KEEP_ACCOUNT_BUTTON: &str = "Keep my account";
pub(crate) const BUTTON_FAILS: &str = "If the button doesn't work, copy this address into your browser:";

/// Below a link.
pub(crate) fn link_lifetime(until: &str) -> String {
    format!("The link works once, until {until}.")
}

// Accounts.
pub(crate) const WELCOME: Words = Words {
    subject: "Welcome to {product}",
    lines: &["Your account is ready. Set a password to sign in."],
    why: "You're receiving this email because an account was created with this address at {product}. If you weren't \
          expecting it, you can ignore this email: no one can sign in without this link.",
};
pub(crate) const VERIFY_EMAIL: Words = Words {
    subject: "Confirm your email address",
    lines: &["Confirm your email address to finish setting up your {product} account."],
    why: "You're receiving this email because someone signed up for {product} with this address. If it wasn't you, \
          you can ignore this email: the address stays unconfirmed, and no one can sign in with it.",
};
pub(crate) const VERIFY_EMAIL_AND_SET_PASSWORD: Words = Words {
    lines: &["Confirm your email address and set a password to finish setting up your {product} account."],
    ..VERIFY_EMAIL
};
pub(crate) const SOMEONE_TRIED_TO_SIGN_UP: Words = Words {
    subject: "You already have an account",
    lines: &[
        "Someone tried to sign up for {product} with this address. You already have an account, so nothing was \
         changed.",
        "If it was you, sign in at {app} as usual. If you forgot your password, you can set a new one there.",
    ],
    why: "You're receiving this email because this address has an account at {product}. If it wasn't you, you can \
          ignore this email: nothing about your account was revealed.",
};
pub(crate) const ADDRESS_OF_DELETED_ACCOUNT: Words = Words {
    subject: "Your account was deleted",
    lines: &[
        "Someone just used this address to sign up for {product} or to request a link. Its account was deleted, so \
         nothing was changed.",
        "To restore the account with everything in it, contact {product} support before the deadline \
         below. After that, you can sign up with this address again.",
    ],
    why: "You're receiving this email because this address had an account at {product}. If it wasn't you, you can \
          ignore this email: nothing about your account was revealed.",
};
pub(crate) const DELETION_SCHEDULED: Words = Words {
    subject: "Your account will be deleted",
    lines: &["You asked to delete your {product} account. You can change your mind until the date below."],
    why: "You're receiving this email because someone asked to delete your {product} account. If it wasn't you, keep \
          your account with the link above and change your password.",
};

// Passwords and addresses.
pub(crate) const PASSWORD_RESET: Words = Words {
    subject: "Set a new password",
    lines: &["Use the link below to set a new password for your {product} account. This signs you out on all devices."],
    why: "You're receiving this email because a new password was requested for your {product} account. If you weren't \
          expecting it, you can ignore this email: nothing changes without this link.",
};
pub(crate) const PASSWORD_CHANGED: Words = Words {
    subject: "Your password was changed",
    lines: &[
        "The password of your {product} account was changed. If this was you, there's nothing to do.",
        NOT_YOU,
    ],
    why: ABOUT_SECURITY,
};
pub(crate) const EMAIL_CHANGE_CONFIRM: Words = Words {
    subject: "Confirm your new email address",
    lines: &["Confirm this as the new address for your {product} account. From then on, you sign in with it."],
    why: "You're receiving this email because someone asked to use this address at {product}. If it wasn't you, you \
          can ignore this email: nothing changes without this link.",
};
pub(crate) const EMAIL_CHANGE_UNDO: Words = Words {
    subject: "Your email address was changed",
    lines: &[
        "Your {product} account now has a different email address. If this was you, there's nothing to do.",
        "If it wasn't you, undo the change: your account gets this address back, and all devices are signed out.",
    ],
    why: "You're receiving this email because this was the address of an account at {product}.",
};

// Signing in.
pub(crate) const NEW_SIGN_IN: Words = Words {
    subject: "New sign-in to your account",
    lines: &[
        "Someone signed in to your {product} account from a new device. If this was you, there's nothing to do.",
        NOT_YOU,
    ],
    why: ABOUT_SECURITY,
};
pub(crate) const SESSION_REUSE: Words = Words {
    subject: "We signed out one of your devices",
    lines: &[
        "A sign-in to your {product} account was used twice: by the device below and by a copy of it. To protect your \
         account, we ended it for both.",
        "Sign in again on the device at {app}. If someone else may have had access to it, set a new password there \
         as well.",
    ],
    why: ABOUT_SECURITY,
};
pub(crate) const MFA_TURNED_ON: Words = about_mfa(
    "Two-factor authentication was turned on",
    &[
        "From now on, you need a code from your authenticator app to sign in.",
        NOT_YOU,
    ],
);
pub(crate) const MFA_TURNED_OFF: Words = about_mfa(
    "Two-factor authentication was turned off",
    &["From now on, your password alone is enough to sign in.", NOT_YOU],
);
pub(crate) const MFA_APP_ADDED: Words = about_mfa(
    "An authenticator app was added",
    &["You can now also use codes from this app to sign in.", NOT_YOU],
);
pub(crate) const MFA_APP_REMOVED: Words = about_mfa(
    "An authenticator app was removed",
    &[
        "Its codes no longer work. You still need a code from another app to sign in.",
        NOT_YOU,
    ],
);
pub(crate) const RECOVERY_CODES_MADE: Words = about_mfa(
    "You have new recovery codes",
    &[
        "New recovery codes were created. The previous ones no longer work.",
        NOT_YOU,
    ],
);
pub(crate) const RECOVERY_CODE_USED: Words = about_mfa(
    "A recovery code was used",
    &[
        "Someone signed in with one of your recovery codes. It can't be used again.",
        NOT_YOU,
    ],
);

const fn about_mfa(subject: &'static str, lines: &'static [&'static str]) -> Words {
    Words {
        subject,
        lines,
        why: ABOUT_SECURITY,
    }
}

// API keys.
const UNEXPECTED_KEY: &str = "If you weren't expecting this, ask a colleague or look at the key's history. If no one \
     on your team did this, set a new password at {app} and revoke the key right away.";
pub(crate) const API_KEY_CREATED: Words = Words {
    subject: "An API key was created",
    lines: &[
        "An API key was created with your account. Anyone who has it can use it without your password.",
        UNEXPECTED_KEY,
    ],
    why: ABOUT_SECURITY,
};
pub(crate) const API_KEY_CHANGED: Words = Words {
    subject: "One of your API keys was changed",
    lines: &[
        "The name, scopes, allowed addresses, rate limit or expiry of an API key that you created was changed.",
        UNEXPECTED_KEY,
    ],
    why: ABOUT_SECURITY,
};
pub(crate) const API_KEY_ROTATED: Words = Words {
    subject: "One of your API keys has a new secret",
    lines: &[
        "An API key that you created has a new secret. The previous one will stop working.",
        UNEXPECTED_KEY,
    ],
    why: ABOUT_SECURITY,
};
pub(crate) const API_KEY_REVOKED: Words = Words {
    subject: "One of your API keys was revoked",
    lines: &["An API key that you created no longer works.", UNEXPECTED_KEY],
    why: ABOUT_SECURITY,
};

pub(crate) const WEBHOOK_DISABLED: Words = Words {
    subject: "A webhook was disabled",
    lines: &[
        "{product} no longer sends events to this address. What waits is kept: it is sent once you enable the webhook \
         again, and what happened in between can be replayed.",
    ],
    why: "You're receiving this email because you created the webhook, or the API key that did.",
};

// For staff.
pub(crate) const STAFF_DIGEST: Words = Words {
    subject: "{product}: the last 24 hours",
    lines: &["What happened since this time yesterday. For more, open the admin: {admin}/admin"],
    why: "You're receiving this email because you're a superuser of {product}.",
};
pub(crate) const DIGEST_ACCOUNTS: &str = "New accounts";
pub(crate) const DIGEST_SENT: &str = "Emails sent";
pub(crate) const DIGEST_FAILED: &str = "Emails that failed";
pub(crate) const DIGEST_DEAD: &str = "Dead jobs";
pub(crate) const DIGEST_SUPPRESSED: &str = "Suppressed addresses";

pub(crate) fn mail_on_hold(since: &str, reason: &str) -> String {
    format!("Mail has been on hold since {since}: {reason}.")
}
