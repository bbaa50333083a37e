//! A request's trace context, and the task that carries it.

use std::fmt;

use rand::RngExt;

tokio::task_local! {
    static CURRENT: Trace;
}

/// A `traceparent` (W3C Trace Context §3.2.2), such as `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    pub(super) id: u128,
    pub(super) parent: u64,
    pub(super) flags: u8,
}

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
        let surplus = parts.next().is_some();
        let known = version != "ff" && !(version == "00" && surplus);
        let trace = Self {
            id: u128::from_str_radix(id, 16).ok()?,
            parent: u64::from_str_radix(parent, 16).ok()?,
            flags: u8::from_str_radix(flags, 16).ok()?,
        };
        (known && trace.id != 0 && trace.parent != 0).then_some(trace)
    }

    /// The caller's trace, or a new one if there is none or it is invalid.
    #[must_use]
    pub fn of_header(header: Option<&str>) -> Self {
        header.and_then(Self::parse).unwrap_or_else(Self::generate)
    }

    /// A new trace, not sampled.
    #[must_use]
    pub fn generate() -> Self {
        let mut rng = rand::rng();
        let (id, parent): (u128, u64) = (rng.random(), rng.random());
        Self {
            id: id.max(1),
            parent: parent.max(1),
            flags: 0,
        }
    }

    /// The trace's id in 32 hexadecimal digits, shared by everything that one request caused.
    #[must_use]
    pub fn id(&self) -> impl fmt::Display + use<> {
        let id = self.id;
        fmt::from_fn(move |f| write!(f, "{id:032x}"))
    }

    /// Runs a future as part of this trace, which the jobs it enqueues carry on.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }

    /// This task's trace.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|trace| *trace).ok()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, parent, flags } = self;
        write!(f, "00-{id:032x}-{parent:016x}-{flags:02x}")
    }
}

/// Makes a future that runs in another task part of this task's trace.
pub fn carried<F: Future>(future: F) -> impl Future<Output = F::Output> {
    within(Trace::current(), future)
}

pub(super) async fn within<F: Future>(trace: Option<Trace>, future: F) -> F::Output {
    match trace {
        Some(trace) => trace.scope(future).await,
        None => future.await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_header_is_taken_over_when_it_is_valid_and_replaced_when_not() {
        assert_eq!(Trace::parse(GOOD).unwrap().to_string(), GOOD);
        assert_eq!(
            Trace::of_header(Some(GOOD)).id().to_string(),
            "4bf92f3577b34da6a3ce929d0e0e4736"
        );
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes";
        assert_eq!(Trace::parse(later).unwrap().to_string(), GOOD);
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
        assert_eq!(Trace::parse(&made.to_string()), Some(made));
        assert_ne!(made, Trace::of_header(None));
    }

    #[tokio::test]
    async fn what_a_task_does_is_part_of_its_trace() {
        let trace = Trace::generate();
        assert_eq!(Trace::current(), None);
        let inside = trace.scope(async { Trace::current() }).await;
        assert_eq!(inside, Some(trace));
    }
}
