//! What the server's refusal means: for the mail, for the job, and for every other mail.

use std::time::Duration;

use usher_shared::entity::mail::MailState;

use crate::{
    JobError,
    backoff::spread,
    smtp::{Failure, Step},
};

/// How long a mail job rests when the server refuses us, not one address, and the breaker does not say better.
const REFUSED_REST: Duration = Duration::from_secs(300);

/// What a failed send means for the mail and its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing arrived; later may be better.
    Later,
    /// The connection broke after the body: it may have arrived. The next one bears the same Message-ID.
    Unknown,
    /// This address will not do.
    Recipient,
    /// The server refuses us: log-in, sender, policy. Every other mail would fare the same.
    Us,
}

impl Verdict {
    pub(super) fn of(failure: &Failure) -> Self {
        match (failure.code, failure.step) {
            (None, Step::Body) => Self::Unknown,
            (None, _) => Self::Later,
            (Some(code), _) if code < 500 => Self::Later,
            (Some(_), step) => match failure.enhanced() {
                // RFC 3463 §3: .1.7 and .1.8 are about the sender's address, .7 is policy.
                Some("5.1.7" | "5.1.8") => Self::Us,
                Some(status) if status.starts_with("5.7.") => Self::Us,
                Some(status) if status.starts_with("5.1.") || status.starts_with("5.2.") => Self::Recipient,
                _ if step == Step::Recipient => Self::Recipient,
                // RFC 5321 §4.2.3: 552 and 550 after the body are about the mailbox.
                _ if step == Step::Body && matches!(failure.code, Some(550 | 552)) => Self::Recipient,
                _ => Self::Us,
            },
        }
    }

    pub(super) fn state(self) -> MailState {
        match self {
            Self::Later => MailState::Reserved,
            Self::Unknown => MailState::Unknown,
            Self::Recipient | Self::Us => MailState::Failed,
        }
    }

    /// What the metrics call it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Later => "deferred",
            Self::Unknown => "unknown",
            Self::Recipient => "recipient_refused",
            Self::Us => "sender_refused",
        }
    }

    /// Whether the refusal may be about what this one mail says.
    pub(super) fn is_about_content(failure: &Failure) -> bool {
        matches!(failure.step, Step::Recipient | Step::Body)
    }

    /// Whether the address does not exist, so that no other mail will arrive there either. A mailbox that is full
    /// (RFC 3463 §3.3, X.2.2) or takes no mail of this size is still there.
    pub(super) fn is_dead_address(self, failure: &Failure) -> bool {
        let enhanced = failure.enhanced();
        self == Self::Recipient
            && failure.code != Some(552)
            && !enhanced.is_some_and(|status| status.starts_with("5.2.") && status != "5.2.1")
    }

    /// The codes only: the server's words often repeat the address, and they are in the mail log.
    pub(super) fn said(failure: &Failure) -> String {
        match (failure.code, failure.enhanced()) {
            (Some(code), Some(status)) => format!("the mail server answered {code} {status}"),
            (Some(code), None) => format!("the mail server answered {code}"),
            (None, _) if failure.step == Step::Connect => format!("no mail server: {}", failure.answer),
            (None, _) => format!("the mail server did not answer: {}", failure.answer),
        }
    }

    /// What the job does next.
    pub(super) fn answer(self, failure: &Failure) -> JobError {
        let said = Self::said(failure);
        match self {
            Self::Later | Self::Unknown => JobError::retry(said),
            Self::Recipient => JobError::give_up(format!("{said}: the address does not accept mail")),
            Self::Us => JobError::Snooze(
                spread(REFUSED_REST),
                anyhow::anyhow!("{said}: it refuses this sender, see SMTP_URL and MAIL_FROM"),
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
    fn each_refusal_is_about_the_moment_the_address_or_us() {
        for (step, answer, expected) in [
            (Step::Connect, "connection refused", Verdict::Later),
            (Step::Connect, "421 4.3.2 shutting down", Verdict::Later),
            (Step::Recipient, "451 4.7.1 greylisted", Verdict::Later),
            (Step::Data, "connection reset", Verdict::Later),
            (Step::Body, "connection reset", Verdict::Unknown),
            (Step::Body, "452 4.2.2 over quota", Verdict::Later),
            (Step::Recipient, "550 no such user", Verdict::Recipient),
            (Step::Recipient, "550 5.1.1 no such user", Verdict::Recipient),
            (Step::Recipient, "553 5.1.3 bad address", Verdict::Recipient),
            (Step::Body, "552 5.2.2 mailbox full", Verdict::Recipient),
            (Step::Body, "550 no thanks", Verdict::Recipient),
            (Step::Recipient, "550 5.7.1 relaying denied", Verdict::Us),
            (Step::Recipient, "550 5.1.8 bad sender's system", Verdict::Us),
            (Step::Connect, "535 5.7.8 bad credentials", Verdict::Us),
            (Step::Sender, "530 5.7.0 TLS first", Verdict::Us),
            (Step::Sender, "553 sender not allowed", Verdict::Us),
            (Step::Body, "554 5.7.1 spam", Verdict::Us),
            (Step::Body, "554 no", Verdict::Us),
        ] {
            assert_eq!(verdict(step, answer), expected, "{step:?}: {answer}");
        }
    }

    #[test]
    fn a_full_mailbox_is_no_dead_address() {
        for (answer, dead) in [
            ("550 5.1.1 no such user", true),
            ("550 no such user", true),
            ("550 5.2.1 disabled", true),
            ("552 5.2.2 mailbox full", false),
            ("552 full", false),
            ("550 5.2.3 too long", false),
        ] {
            let failure = Failure {
                step: Step::Recipient,
                answer: answer.to_owned(),
                code: answer[..3].parse().ok(),
            };
            assert_eq!(Verdict::of(&failure).is_dead_address(&failure), dead, "{answer}");
        }
    }
}
