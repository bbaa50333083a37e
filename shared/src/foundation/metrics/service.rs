//! The requests of one service: how many, with which status, how long. A request costs one lookup among the routes
//! requested before, and a few atomic additions; nothing is allocated after a route's first request.

use std::{
    collections::HashMap,
    fmt::Write,
    net::IpAddr,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{histogram::Histogram, text::head};
use crate::foundation::client_address::{Client, Unread};

/// Upper bounds in seconds: from a response from memory to the API's time limit of 15 s.
const BOUNDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0,
];
/// Any other method is counted as `other`.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// The status codes that the services send, ascending; any other is counted as `other`.
const STATUSES: [u16; 29] = [
    200, 201, 202, 204, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 410, 412, 413, 414, 415,
    422, 428, 429, 431, 500, 503,
];
/// From this number on, further routes are counted together.
const MAX_ROUTES: usize = 1_000;

/// What one service has counted since the process started.
#[derive(Debug)]
pub struct ServiceMetrics {
    name: &'static str,
    in_flight: AtomicU64,
    log_in_failures: AtomicU64,
    /// One for each of [`Unread::ALL`].
    unread_addresses: [AtomicU64; Unread::ALL.len()],
    routes: RwLock<HashMap<String, Arc<Route>>>,
}

/// One route; each method exists from its first request on.
type Route = [OnceLock<Box<Counts>>; METHODS.len() + 1];

#[derive(Debug)]
struct Counts {
    /// One for each of [`STATUSES`], and one for any other.
    statuses: [AtomicU64; STATUSES.len() + 1],
    took: Histogram,
}

/// A request in flight until this is dropped, which also happens when a client goes away.
#[derive(Debug)]
#[must_use = "the request is in flight until this is dropped"]
pub struct InFlight<'a>(&'a AtomicU64);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ServiceMetrics {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            in_flight: AtomicU64::new(0),
            log_in_failures: AtomicU64::new(0),
            unread_addresses: Default::default(),
            routes: RwLock::default(),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Counts a request as in flight.
    pub fn enter(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(&self.in_flight)
    }

    /// The client's address. A trusted proxy's header that could not be read is counted, and logged the first time.
    #[must_use]
    pub fn note_client(&self, client: Client) -> IpAddr {
        if let Some(unread) = client.unread
            && let Some(at) = Unread::ALL.iter().position(|each| *each == unread)
            && self.unread_addresses[at].fetch_add(1, Ordering::Relaxed) == 0
        {
            tracing::warn!(
                header = unread.as_str(),
                "a trusted proxy's header has no readable client address; such requests share the proxy's rate limits"
            );
        }
        client.address
    }

    /// Counts a response. The route is the router's, such as `/users/{id}`: a path as sent can contain anything, and
    /// would be a label of its own.
    pub fn answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let method_at = METHODS.iter().position(|known| *known == method);
        let counts = |route: &Route| {
            let counts = route[method_at.unwrap_or(METHODS.len())].get_or_init(Box::default);
            counts.statuses[index(status)].fetch_add(1, Ordering::Relaxed);
            counts.took.observe(took);
        };
        if let Some(known) = self.routes.read().unwrap_or_else(PoisonError::into_inner).get(route) {
            return counts(known);
        }
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        let route = if routes.len() < MAX_ROUTES { route } else { "other" };
        counts(routes.entry(route.to_owned()).or_default());
    }

    /// Counts a wrong password or code.
    pub fn log_in_failed(&self) {
        self.log_in_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Calls `tell` with the labels and counts of every requested route and method, sorted by route.
    fn each(&self, mut tell: impl FnMut(&str, &Counts)) {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let mut routes: Vec<_> = routes.iter().collect();
        routes.sort_unstable_by_key(|(route, _)| *route);
        for (route, methods) in routes {
            for (at, counts) in methods.iter().enumerate() {
                let method = METHODS.get(at).unwrap_or(&"other");
                if let Some(counts) = counts.get() {
                    tell(
                        &format!("room=\"{}\",method=\"{method}\",route=\"{route}\"", self.name),
                        counts,
                    );
                }
            }
        }
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            statuses: std::array::from_fn(|_| AtomicU64::new(0)),
            took: Histogram::new(&BOUNDS),
        }
    }
}

fn index(status: u16) -> usize {
    STATUSES.binary_search(&status).unwrap_or(STATUSES.len())
}

pub(super) fn render(text: &mut String, services: &[Arc<ServiceMetrics>]) {
    if services.is_empty() {
        return;
    }
    let name = "usher_http_requests_total";
    head(text, name, "counter", "Requests answered");
    for service in services {
        service.each(|labels, counts| {
            for (at, count) in counts.statuses.iter().enumerate() {
                let count = count.load(Ordering::Relaxed);
                let status = STATUSES.get(at);
                let status = status.map_or_else(|| "other".to_owned(), ToString::to_string);
                if count > 0 {
                    let _ = writeln!(text, "{name}{{{labels},status=\"{status}\"}} {count}");
                }
            }
        });
    }
    let name = "usher_http_request_seconds";
    head(text, name, "histogram", "From a request's head to its answer's head");
    for service in services {
        service.each(|labels, counts| counts.took.render(text, name, labels));
    }
    let mut of_each = |name: &str, form: &str, help: &str, read: fn(&ServiceMetrics) -> &AtomicU64| {
        head(text, name, form, help);
        for service in services {
            let value = read(service).load(Ordering::Relaxed);
            let _ = writeln!(text, "{name}{{room=\"{}\"}} {value}", service.name);
        }
    };
    of_each(
        "usher_http_in_flight",
        "gauge",
        "Requests now being answered",
        |service| &service.in_flight,
    );
    of_each(
        "usher_log_in_failures_total",
        "counter",
        "Passwords and codes that were wrong",
        |service| &service.log_in_failures,
    );
    let name = "usher_client_addresses_unread_total";
    let help = "Requests of trusted proxies whose client could not be understood";
    head(text, name, "counter", help);
    for service in services {
        for (header, count) in Unread::ALL.iter().zip(&service.unread_addresses) {
            let (service, header, count) = (service.name, header.as_str(), count.load(Ordering::Relaxed));
            let _ = writeln!(text, "{name}{{room=\"{service}\",header=\"{header}\"}} {count}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_expected_is_counted_together() {
        let service = ServiceMetrics::new("api");
        for (method, status) in [("BREW", 418), ("GET", 503), ("GET", 200), ("GET", 599)] {
            service.answered(method, "/pots/{id}", status, Duration::from_millis(3));
        }
        let mut text = String::new();
        render(&mut text, &[Arc::new(service)]);
        for line in [
            "usher_http_requests_total{room=\"api\",method=\"other\",route=\"/pots/{id}\",status=\"other\"} 1",
            "usher_http_requests_total{room=\"api\",method=\"GET\",route=\"/pots/{id}\",status=\"503\"} 1",
            "usher_http_requests_total{room=\"api\",method=\"GET\",route=\"/pots/{id}\",status=\"200\"} 1",
            "usher_http_requests_total{room=\"api\",method=\"GET\",route=\"/pots/{id}\",status=\"other\"} 1",
            "usher_http_request_seconds_count{room=\"api\",method=\"GET\",route=\"/pots/{id}\"} 3",
        ] {
            assert!(text.lines().any(|each| each == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn routes_without_end_are_counted_together() {
        let service = ServiceMetrics::new("api");
        for number in 0..MAX_ROUTES + 10 {
            service.answered("GET", &format!("/{number}"), 200, Duration::ZERO);
        }
        assert_eq!(service.routes.read().unwrap().len(), MAX_ROUTES + 1);
    }
}
