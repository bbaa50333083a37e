//! Headers of proxies and tracers: nobody but a trusted proxy says where a request comes from.

use std::net::IpAddr;

use ipnet::IpNet;
use usher_shared::{client_address, trace::Trace};

/// Lines of `X-Forwarded-For`, each of which is read as `traceparent` as well.
pub fn forwarded(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let lines: Vec<&str> = text.lines().collect();
    let proxies: [IpNet; 2] = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().expect("a network"));
    let is_proxy = |address: &IpAddr| proxies.iter().any(|net| net.contains(address));
    let [proxy, stranger]: [IpAddr; 2] =
        ["::ffff:10.0.0.1", "203.0.113.9"].map(|text| text.parse().expect("an address"));

    assert_eq!(client_address(stranger, &lines, &proxies), stranger);
    assert_eq!(client_address(proxy, &lines, &[]), proxy.to_canonical());
    let client = client_address(proxy, &lines, &proxies);
    let told = lines
        .iter()
        .flat_map(|line| line.split(','))
        .filter_map(|hop| hop.trim().parse::<IpAddr>().ok());
    let mut told = told.map(|address| address.to_canonical());
    assert!(
        client == proxy.to_canonical() || told.any(|address| address == client),
        "{client} was made up"
    );
    if !is_proxy(&client) {
        let forged: Vec<&str> = ["6.6.6.6, 10.0.0.7"].into_iter().chain(lines.iter().copied()).collect();
        assert_eq!(
            client_address(proxy, &forged, &proxies),
            client,
            "a client chose its address"
        );
    }
    for line in lines {
        traced(line);
    }
}

fn traced(line: &str) {
    let Some(trace) = Trace::parse(line) else { return };
    assert_eq!(Trace::parse(&trace.to_string()), Some(trace));
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let id = trace.id().to_string();
    assert!(id.len() == 32 && id.bytes().all(is_hex), "{trace:?}");
    assert!(line.contains(&id));
}
