//! What mailed links are for.

use std::fmt;

use chrono::TimeDelta;

/// What a mailed link is for, and how long it works. Two purposes with the same word are the same; a token works for
/// its own purpose only.
///
/// ```
/// use chrono::TimeDelta;
/// use usher_shared::accounts::mail_tokens::LinkPurpose;
///
/// const CONFIRM_ORDER: LinkPurpose = LinkPurpose::new("confirm_order", TimeDelta::days(3));
/// assert_eq!(CONFIRM_ORDER.as_str(), "confirm_order");
/// ```
#[derive(Clone, Copy)]
pub struct LinkPurpose {
    word: &'static str,
    lifetime: TimeDelta,
}

impl LinkPurpose {
    /// In the welcome mail: sets the first password and verifies the address.
    pub const SET_PASSWORD: Self = Self::new("set_password", TimeDelta::hours(72));
    pub const VERIFY_EMAIL: Self = Self::new("verify_email", TimeDelta::hours(72));
    pub const PASSWORD_RESET: Self = Self::new("password_reset", TimeDelta::minutes(30));
    /// Sent to the new address, which the row holds.
    pub const EMAIL_CHANGE_CONFIRM: Self = Self::new("email_change_confirm", TimeDelta::hours(24));
    /// Sent to the old address, which the row holds: undoes the change. Long enough for a weekend away from the mailbox.
    pub const EMAIL_CHANGE_UNDO: Self = Self::new("email_change_undo", TimeDelta::hours(72));
    /// Works until the deletion.
    pub const CANCEL_DELETION: Self = Self::new("cancel_deletion", TimeDelta::days(7));

    /// Those that Usher brings.
    pub const BUILT_IN: [Self; 6] = [
        Self::SET_PASSWORD,
        Self::VERIFY_EMAIL,
        Self::PASSWORD_RESET,
        Self::EMAIL_CHANGE_CONFIRM,
        Self::EMAIL_CHANGE_UNDO,
        Self::CANCEL_DELETION,
    ];

    /// A purpose of a product, such as `confirm_order`. `lifetime` begins when the mail is sent.
    ///
    /// The word is in rows that wait, so it stays when the constant is renamed. Register it with the app, which refuses
    /// a word that another app has.
    #[must_use]
    pub const fn new(word: &'static str, lifetime: TimeDelta) -> Self {
        Self { word, lifetime }
    }

    /// As rows have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.word
    }

    /// The same purpose, for a link that works this long.
    #[must_use]
    pub const fn lasting(self, lifetime: TimeDelta) -> Self {
        Self { lifetime, ..self }
    }

    /// How long a link works after its mail is sent.
    #[must_use]
    pub const fn lifetime(self) -> TimeDelta {
        self.lifetime
    }
}

impl PartialEq for LinkPurpose {
    fn eq(&self, other: &Self) -> bool {
        self.word == other.word
    }
}

impl Eq for LinkPurpose {}

impl fmt::Debug for LinkPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word)
    }
}
