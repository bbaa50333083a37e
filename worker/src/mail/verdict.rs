//! What a server's refusal means for the mail, for the job, and for every other mail.

use std::time::Duration;

use strum::IntoStaticStr;
use usher_shared::foundation::entity::mail::MailState;

use super::smtp::{Failure, Step};
use crate::foundation::{JobError, backoff::spread};

/// How long a mail job rests when the server refuses us rather than one address, and the breaker stays closed.
const REFUSED_REST: Duration = Duration::from_secs(300);

/// What a failed send means for the mail and its job.
///
/// As a string it is the label of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Verdict {
    /// Nothing arrived; a later try may work.
    #[strum(serialize = "deferred")]
    Later,
    /// The connection broke after the body: it may have arrived. The next try has the same Message-ID.
    Unknown,
    /// The address does not exist: no mail will ever arrive there.
    #[strum(serialize = "recipient_refused")]
    DeadAddress,
    /// The address does not take this mail, but may well exist.
    #[strum(serialize = "recipient_refused")]
    Recipient,
    /// Our server can't send to an address of this kind; it was not tried.
    Unsendable,
    /// The server refuses us: log-in, sender, policy, its own state. Every other mail would fail the same way.
    #[strum(serialize = "sender_refused")]
    Us,
}

impl Verdict {
    /// Judges by the reply code (RFC 5321 §4.2), the step it answers, and the enhanced status code, which is more
    /// precise (RFC 3463 §3, RFC 5248 and its registry). Only such a code proves that a mailbox is gone: a bare refusal
    /// is as often about policy, relaying or a command that the server does not understand.
    pub(super) fn of(failure: &Failure) -> Self {
        match (failure.code, failure.step) {
            (None, Step::Unsaid) => return Self::Unsendable,
            (None, Step::Body) => return Self::Unknown,
            (None, _) => return Self::Later,
            (Some(code), _) if code < 500 => return Self::Later,
            // Not about the recipient yet.
            (Some(_), Step::Connect | Step::Unsaid | Step::Sender) => return Self::Us,
            (Some(_), Step::Recipient | Step::Data | Step::Body) => {}
        }
        match failure.enhanced() {
            // No such mailbox, no such domain, moved without forwarding, a domain without mail, disabled.
            Some("5.1.1" | "5.1.2" | "5.1.6" | "5.1.10" | "5.2.1") => Self::DeadAddress,
            // The sender's address.
            Some("5.1.7" | "5.1.8") => Self::Us,
            // Message too big, non-ASCII address, conversion on the way to the recipient's server.
            Some("5.3.4" | "5.6.7" | "5.6.8" | "5.6.9" | "5.6.10") => Self::Recipient,
            Some(status) => match status.split('.').nth(1) {
                // Addresses; mailboxes, including full ones; routing.
                Some("1" | "2" | "4") => Self::Recipient,
                // The server itself, the protocol, content, policy.
                _ => Self::Us,
            },
            None => match (failure.step, failure.code) {
                (Step::Recipient, Some(501 | 550..=553 | 556)) | (Step::Body, Some(550 | 552)) => Self::Recipient,
                _ => Self::Us,
            },
        }
    }

    pub(super) fn state(self) -> MailState {
        match self {
            Self::Later => MailState::Reserved,
            Self::Unknown => MailState::Unknown,
            Self::DeadAddress | Self::Recipient | Self::Unsendable | Self::Us => MailState::Failed,
        }
    }

    /// Whether the refusal may be about the content of this mail.
    pub(super) fn is_about_content(failure: &Failure) -> bool {
        matches!(failure.step, Step::Recipient | Step::Data | Step::Body)
    }

    /// Only the codes: the server's words often repeat the address. They are in the mail's row.
    pub(super) fn said(failure: &Failure) -> String {
        match (failure.code, failure.enhanced()) {
            (Some(code), Some(status)) => format!("the mail server answered {code} {status}"),
            (Some(code), None) => format!("the mail server answered {code}"),
            (None, _) if failure.step == Step::Unsaid => failure.answer.clone(),
            (None, _) if failure.step == Step::Connect => format!("no mail server: {}", failure.answer),
            (None, _) => format!("the mail server did not answer: {}", failure.answer),
        }
    }

    /// What the job does next.
    pub(super) fn answer(self, failure: &Failure) -> JobError {
        let said = Self::said(failure);
        match self {
            Self::Later | Self::Unknown => JobError::retry(said),
            Self::DeadAddress => JobError::give_up(format!("{said}: the address does not exist")),
            Self::Recipient => JobError::give_up(format!("{said}: it refuses this mail for this address")),
            Self::Unsendable => JobError::give_up(said),
            Self::Us => JobError::Snooze(
                spread(REFUSED_REST),
                anyhow::anyhow!("{said}: it refuses this sender; check SMTP_URL and MAIL_FROM"),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(step: Step, answer: &str) -> Verdict {
        let code = answer.split(' ').next().and_then(|code| code.parse().ok());
        Verdict::of(&Failure {
            step,
            answer: answer.to_owned(),
            code,
        })
    }

    #[test]
    fn each_refusal_is_about_the_moment_the_address_this_mail_or_us() {
        use Verdict::*;
        for (step, answer, expected) in [
            (Step::Connect, "connection refused", Later),
            (Step::Connect, "421 4.3.2 shutting down", Later),
            (Step::Connect, "521 does not accept mail", Us),
            (Step::Connect, "535 5.7.8 bad credentials", Us),
            (Step::Connect, "554 5.1.1 nonsense", Us),
            (Step::Unsaid, "not sent", Unsendable),
            (Step::Sender, "530 5.7.0 TLS first", Us),
            (Step::Sender, "553 sender not allowed", Us),
            (Step::Sender, "550 5.1.0 address rejected", Us),
            (Step::Sender, "550 5.1.1 no such sender", Us),
            (Step::Sender, "501 5.5.4 syntax", Us),
            (Step::Recipient, "451 4.7.1 greylisted", Later),
            (Step::Recipient, "450 5.1.1 of two minds", Later),
            (Step::Recipient, "452 4.2.2 over quota", Later),
            (Step::Recipient, "550 5.1.1 no such user", DeadAddress),
            (Step::Recipient, "550 5.1.2 no such domain", DeadAddress),
            (Step::Recipient, "551 5.1.6 moved", DeadAddress),
            (Step::Recipient, "556 5.1.10 null MX", DeadAddress),
            (Step::Recipient, "550 5.2.1 disabled", DeadAddress),
            (Step::Recipient, "550 5.1.0 rejected", Recipient),
            (Step::Recipient, "553 5.1.3 bad address", Recipient),
            (Step::Recipient, "550 5.2.0 mailbox", Recipient),
            (Step::Recipient, "552 5.2.2 mailbox full", Recipient),
            (Step::Recipient, "550 5.2.3 too long", Recipient),
            (Step::Recipient, "550 5.4.1 access denied", Recipient),
            (Step::Recipient, "553 5.6.7 no SMTPUTF8", Recipient),
            (Step::Recipient, "550 no such user", Recipient),
            (Step::Recipient, "550 4.1.1 of two minds", Recipient),
            (Step::Recipient, "550 #5.1.1 no status code", Recipient),
            (Step::Recipient, "550 5.1.1111 no status code", Recipient),
            (Step::Recipient, "501 syntax", Recipient),
            (Step::Recipient, "551 not local", Recipient),
            (Step::Recipient, "552 full", Recipient),
            (Step::Recipient, "553 not allowed", Recipient),
            (Step::Recipient, "556 takes no mail", Recipient),
            (Step::Recipient, "500 what?", Us),
            (Step::Recipient, "503 sequence", Us),
            (Step::Recipient, "554 no", Us),
            (Step::Recipient, "555 parameters", Us),
            (Step::Recipient, "550 5.1.8 bad sender's system", Us),
            (Step::Recipient, "550 5.3.0 broken", Us),
            (Step::Recipient, "550 5.3.2 not now", Us),
            (Step::Recipient, "500 5.5.2 syntax", Us),
            (Step::Recipient, "550 5.7.1 relaying denied", Us),
            (Step::Recipient, "550 5.7.26 not authenticated", Us),
            (Step::Data, "connection reset", Later),
            (Step::Data, "554 no valid recipients", Us),
            (Step::Data, "550 5.1.1 no such user", DeadAddress),
            (Step::Body, "connection reset", Unknown),
            (Step::Body, "452 4.2.2 over quota", Later),
            (Step::Body, "550 5.1.1 no such user", DeadAddress),
            (Step::Body, "552 5.2.2 mailbox full", Recipient),
            (Step::Body, "552 5.3.4 too big", Recipient),
            (Step::Body, "550 no thanks", Recipient),
            (Step::Body, "554 5.6.0 content", Us),
            (Step::Body, "554 5.7.1 spam", Us),
            (Step::Body, "554 no", Us),
        ] {
            assert_eq!(verdict(step, answer), expected, "{step:?}: {answer}");
        }
    }
}
