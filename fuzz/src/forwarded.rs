//! Headers of proxies and tracers: nobody but a trusted proxy says where a request comes from.

use std::net::IpAddr;

use ipnet::IpNet;
use usher_shared::foundation::{
    client_address::{self, Forwarding},
    trace::Trace,
};

/// Lines of `X-Forwarded-For` or `Forwarded`, each of which is read as `traceparent` as well.
pub fn forwarded(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let lines: Vec<&str> = text.lines().collect();
    let proxies: [IpNet; 2] = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().expect("a network"));
    let is_proxy = |address: &IpAddr| proxies.iter().any(|net| net.contains(address));
    let [proxy, stranger]: [IpAddr; 2] =
        ["::ffff:10.0.0.1", "203.0.113.9"].map(|text| text.parse().expect("an address"));

    let as_forwarded = |lines: &[&str]| lines.iter().map(|line| format!("for={line}")).collect::<Vec<_>>();
    for is_forwarded in [false, true] {
        let ask = |peer, lines: &[&str], proxies: &[IpNet]| {
            let nodes = as_forwarded(lines);
            let forwarding = match is_forwarded {
                false => Forwarding {
                    x_forwarded_for: bytes(lines),
                    ..Forwarding::default()
                },
                true => Forwarding {
                    forwarded: bytes(&nodes),
                    ..Forwarding::default()
                },
            };
            client_address::client_address(peer, &forwarding, proxies).address
        };
        assert_eq!(ask(stranger, &lines, &proxies), stranger);
        assert_eq!(ask(proxy, &lines, &[]), proxy.to_canonical());
        let client = ask(proxy, &lines, &proxies);
        if !is_proxy(&client) {
            let forged: Vec<&str> = ["6.6.6.6, 10.0.0.7"].into_iter().chain(lines.iter().copied()).collect();
            assert_eq!(ask(proxy, &forged, &proxies), client, "a client chose its address");
        }
    }
    for line in lines {
        traced(line);
    }
}

fn bytes<T: AsRef<str>>(lines: &[T]) -> Vec<&[u8]> {
    lines.iter().map(|line| line.as_ref().as_bytes()).collect()
}

fn traced(line: &str) {
    let Some(trace) = Trace::parse(line) else { return };
    assert_eq!(Trace::parse(&trace.to_string()), Some(trace));
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let id = trace.id().to_string();
    assert!(id.len() == 32 && id.bytes().all(is_hex), "{trace:?}");
    assert!(line.contains(&id));
}
