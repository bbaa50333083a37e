//! Which request caused what: W3C Trace Context, from the request over its jobs to their mails. It goes with the task,
//! not with arguments, so that no enqueue can forget it.

use rand::RngExt;

tokio::task_local! {
    static CURRENT: Trace;
}

/// A `traceparent` (W3C Trace Context §3.2.2), such as `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace(String);

impl Trace {
    /// The header's value if it is valid: version 00, or a later one whose start reads like it.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let header = header.trim();
        let mut parts = header.splitn(5, '-');
        let mut part = |length| {
            let part = parts.next()?;
            let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            (part.len() == length && part.bytes().all(is_hex)).then_some(part)
        };
        let (version, id, parent, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let nothing = |part: &str| part.bytes().all(|byte| byte == b'0');
        let surplus = parts.next().is_some();
        let known = version != "ff" && !(version == "00" && surplus);
        (known && !nothing(id) && !nothing(parent)).then(|| Self(format!("00-{id}-{parent}-{flags}")))
    }

    /// The caller's trace, or a new one where there is none or it cannot be read.
    #[must_use]
    pub fn of_header(header: Option<&str>) -> Self {
        header.and_then(Self::parse).unwrap_or_else(Self::generate)
    }

    /// A trace of its own, not sampled.
    #[must_use]
    pub fn generate() -> Self {
        let mut rng = rand::rng();
        let (id, parent): (u128, u64) = (rng.random(), rng.random());
        Self(format!("00-{:032x}-{:016x}-00", id.max(1), parent.max(1)))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The trace's id, 32 hexadecimal digits: what all that one request caused has in common.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.split('-').nth(1).unwrap_or_default()
    }

    /// Runs a future as part of this trace: jobs that it enqueues carry it.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }

    /// The trace that this task is part of.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_header_is_taken_over_when_it_is_valid_and_replaced_when_not() {
        assert_eq!(Trace::parse(GOOD).unwrap().as_str(), GOOD);
        assert_eq!(Trace::of_header(Some(GOOD)).id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes";
        assert_eq!(Trace::parse(later).unwrap().as_str(), GOOD);
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Trace::parse(bad), None, "{bad}");
        }
        let made = Trace::of_header(Some("junk"));
        assert_eq!(Trace::parse(made.as_str()), Some(made.clone()));
        assert_ne!(made, Trace::of_header(None));
    }

    #[tokio::test]
    async fn what_a_task_does_is_part_of_its_trace() {
        let trace = Trace::generate();
        assert_eq!(Trace::current(), None);
        let inside = trace.clone().scope(async { Trace::current() }).await;
        assert_eq!(inside, Some(trace));
    }
}
