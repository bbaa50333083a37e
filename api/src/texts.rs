//! What people read on the pages behind mailed links. Each sentence stands here once.

use crate::auth::Errand;

/// A page that says how it went.
#[derive(Clone, Copy)]
pub(crate) struct Notice {
    pub(crate) title: &'static str,
    pub(crate) text: &'static str,
}

pub(crate) const PASSWORD_SET: Notice = Notice {
    title: "Your password is set",
    text: "Your email address is confirmed as well. You can close this page and sign in.",
};
pub(crate) const PASSWORD_RESET: Notice = Notice {
    title: "Your password is set",
    text: "All your devices are signed out. You can close this page and sign in.",
};
pub(crate) const LINK_INVALID: Notice = Notice {
    title: "This link is not valid",
    text: "It was already used, replaced by a newer one, or not copied completely. Open the newest email and copy its \
        whole link, or request another.",
};
pub(crate) const PASSWORD_LINK_INVALID: Notice = Notice {
    title: LINK_INVALID.title,
    text: "It was already used, replaced by a newer one, or not copied completely. If you have set your password \
        already, sign in with it. Otherwise open the newest email and copy its whole link, or request another.",
};
pub(crate) const LINK_EXPIRED: Notice = Notice {
    title: "This link has expired",
    text: "Links work for a limited time, so that an old email can't be used to take over your account. Request a new \
        one.",
};
pub(crate) const INVITATION_INVALID: Notice = Notice {
    title: LINK_INVALID.title,
    text: "It was already used, replaced by a newer one, or not copied completely. If you have set your password \
        already, sign in with it. Otherwise open the newest email and copy its whole link, or ask the person who \
        invited you for another.",
};
pub(crate) const INVITATION_EXPIRED: Notice = Notice {
    title: LINK_EXPIRED.title,
    text: "Invitations work for a limited time. Ask the person who invited you for a new one.",
};
pub(crate) const ADDRESS_TAKEN: Notice = Notice {
    title: "This address already has an account",
    text: "An address can belong to only one account. Sign in to that account, or use another address.",
};
pub(crate) const TOO_MANY_ATTEMPTS: Notice = Notice {
    title: "Too many attempts",
    text: "Wait a few minutes and open the link in your email again. It still works.",
};

/// The words of a link's page: the question, its button, and the notice after the click.
pub(crate) struct LinkPage {
    pub(crate) action: &'static str,
    pub(crate) question: Notice,
    pub(crate) button: &'static str,
    pub(crate) done: Notice,
}

pub(crate) const fn link_page(errand: Errand) -> LinkPage {
    match errand {
        Errand::VerifyEmail => LinkPage {
            action: "verify-email",
            question: Notice {
                title: "Confirm your email address",
                text: "Then you can sign in with it.",
            },
            button: "Confirm this address",
            done: Notice {
                title: "Your email address is confirmed",
                text: "You can close this page and sign in.",
            },
        },
        Errand::ConfirmEmailChange => LinkPage {
            action: "confirm-email-change",
            question: Notice {
                title: "Use this email address",
                text: "This becomes your account's address, and you'll sign in with it.",
            },
            button: "Use this address",
            done: Notice {
                title: "Email address updated",
                text: "We've notified your old address. You can close this page.",
            },
        },
        Errand::UndoEmailChange => LinkPage {
            action: "undo-email-change",
            question: Notice {
                title: "Recover your account",
                text: "This becomes your account's address again, all devices are signed out, and your password stops \
                    working; we'll email you a link to set a new one.",
            },
            button: "Undo the change",
            done: Notice {
                title: "Your account is back",
                text: "All devices are signed out. We've emailed you a link to set a new password.",
            },
        },
        Errand::KeepAccount => LinkPage {
            action: "keep-account",
            question: Notice {
                title: "Keep your account",
                text: "The account will not be deleted.",
            },
            button: "Keep my account",
            done: Notice {
                title: "Your account will not be deleted",
                text: "If you didn't ask to delete it, sign in and change your password.",
            },
        },
    }
}
