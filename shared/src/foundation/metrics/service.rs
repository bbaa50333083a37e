//! The requests of one service: how many, with which status, how long. A request costs two lookups among the labels
//! counted before, and a few atomic additions.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::labels::{Counters, Durations, Labels};
use crate::foundation::client_address::{Client, Unread};

/// Upper bounds in seconds: from a response from memory to the API's time limit of 15 s.
const BOUNDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0,
];
/// Any other method is counted as [`OTHER`].
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// The status codes that the services send; any other is counted as [`OTHER`].
const STATUSES: [u16; 29] = [
    200, 201, 202, 204, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 410, 412, 413, 414, 415,
    422, 428, 429, 431, 500, 503,
];
const OTHER: &str = "other";
/// From this number of routes and methods on, further routes are counted together.
const MAX_ROUTES: usize = 4_000;

/// The metrics of all services, which differ in the label `room`.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    answered: Counters<4>,
    took: Durations<3>,
    in_flight: Family<Labels<1>, Gauge>,
    log_in_failures: Counters<1>,
    unread_addresses: Counters<2>,
}

impl Requests {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let requests = Self {
            answered: Family::default(),
            took: Family::new_with_constructor(|| Histogram::new(BOUNDS)),
            in_flight: Family::default(),
            log_in_failures: Family::default(),
            unread_addresses: Family::default(),
        };
        registry.register("usher_http_requests", "Requests answered", requests.answered.clone());
        let help = "From a request's head to its answer's head";
        registry.register("usher_http_request_seconds", help, requests.took.clone());
        let help = "Requests now being answered";
        registry.register("usher_http_in_flight", help, requests.in_flight.clone());
        let help = "Passwords and codes that were wrong";
        registry.register("usher_log_in_failures", help, requests.log_in_failures.clone());
        let help = "Requests of trusted proxies whose client could not be understood";
        let unread = requests.unread_addresses.clone();
        registry.register("usher_client_addresses_unread", help, unread);
        requests
    }
}

/// What one service has counted since the process started.
#[derive(Debug)]
pub struct ServiceMetrics {
    name: &'static str,
    in_flight: Gauge,
    log_in_failures: Counter,
    /// Routes and methods seen.
    routes: AtomicUsize,
    requests: Requests,
}

/// A request in flight until this is dropped, which also happens when a client goes away.
#[derive(Debug)]
#[must_use = "the request is in flight until this is dropped"]
pub struct InFlight<'a>(&'a Gauge);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl ServiceMetrics {
    pub(super) fn new(name: &'static str, requests: Requests) -> Self {
        let room = [("room", name.into())];
        let service = Self {
            name,
            in_flight: requests.in_flight.get_or_create_owned(&room),
            log_in_failures: requests.log_in_failures.get_or_create_owned(&room),
            routes: AtomicUsize::new(0),
            requests,
        };
        for unread in Unread::ALL {
            service.unread(unread);
        }
        service
    }

    fn unread(&self, unread: Unread) -> Counter {
        let labels = [("room", self.name.into()), ("header", unread.as_str().into())];
        self.requests.unread_addresses.get_or_create_owned(&labels)
    }

    /// Counts a request as in flight.
    pub fn enter(&self) -> InFlight<'_> {
        self.in_flight.inc();
        InFlight(&self.in_flight)
    }

    /// The client's address. A trusted proxy's header that could not be read is counted, and logged the first time.
    #[must_use]
    pub fn note_client(&self, client: Client) -> IpAddr {
        if let Some(unread) = client.unread
            && self.unread(unread).inc() == 0
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
        let Requests {
            answered, took: times, ..
        } = &self.requests;
        let method = METHODS.into_iter().find(|known| *known == method);
        let mut labels: Labels<3> = [
            ("room", self.name.into()),
            ("method", method.unwrap_or(OTHER).into()),
            ("route", route.to_owned().into()),
        ];
        let seconds = took.as_secs_f64();
        let known = times.get(&labels).map(|time| time.observe(seconds));
        if known.is_none() {
            if self.routes.fetch_add(1, Ordering::Relaxed) >= MAX_ROUTES {
                labels[2].1 = OTHER.into();
            }
            times.get_or_create(&labels).observe(seconds);
        }
        let status = match STATUSES.contains(&status) {
            true => status.to_string().into(),
            false => OTHER.into(),
        };
        let [room, method, route] = labels;
        answered.get_or_create(&[room, method, route, ("status", status)]).inc();
    }

    /// Counts a wrong password or code.
    pub fn log_in_failed(&self) {
        self.log_in_failures.inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foundation::metrics::Metrics;

    #[test]
    fn what_nobody_expected_is_counted_together() {
        let metrics = Metrics::default();
        let service = metrics.service("api");
        for (method, status) in [("BREW", 418), ("GET", 503), ("GET", 200), ("GET", 599)] {
            service.answered(method, "/pots/{id}", status, Duration::from_millis(3));
        }
        let text = metrics.render();
        for line in [
            "usher_http_requests_total{room=\"api\",method=\"other\",route=\"/pots/{id}\",status=\"other\"} 1",
            "usher_http_requests_total{room=\"api\",method=\"GET\",route=\"/pots/{id}\",status=\"503\"} 1",
            "usher_http_requests_total{room=\"api\",method=\"GET\",route=\"/pots/{id}\",status=\"200\"} 1",
            "usher_http_requests_total{room=\"api\",method=\"GET\",route=\"/pots/{id}\",status=\"other\"} 1",
            "usher_http_request_seconds_count{room=\"api\",method=\"GET\",route=\"/pots/{id}\"} 3",
            "usher_http_request_seconds_bucket{room=\"api\",method=\"GET\",route=\"/pots/{id}\",le=\"0.0025\"} 0",
            "usher_http_request_seconds_bucket{room=\"api\",method=\"GET\",route=\"/pots/{id}\",le=\"0.005\"} 3",
            "usher_http_request_seconds_bucket{room=\"api\",method=\"GET\",route=\"/pots/{id}\",le=\"15\"} 3",
        ] {
            assert!(text.lines().any(|each| each == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn routes_without_end_are_counted_together() {
        let metrics = Metrics::default();
        let service = metrics.service("api");
        for number in 0..MAX_ROUTES + 10 {
            service.answered("GET", &format!("/{number}"), 200, Duration::ZERO);
        }
        let counted = metrics.render().matches("usher_http_request_seconds_count{").count();
        assert_eq!(counted, MAX_ROUTES + 1);
    }

    #[test]
    fn a_service_asked_for_twice_counts_together() {
        let metrics = Metrics::default();
        for _ in 0..2 {
            metrics.service("api").log_in_failed();
        }
        let line = "usher_log_in_failures_total{room=\"api\"} 2\n";
        assert!(metrics.render().contains(line), "{}", metrics.render());
    }
}
