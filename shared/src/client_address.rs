//! Who is really calling, when trusted proxies stand in between.

use std::net::IpAddr;

use ipnet::IpNet;

/// The client's address: the peer, or, when the peer is a trusted proxy, the last address of
/// `X-Forwarded-For` that no trusted proxy has. What an untrusted peer claims is ignored.
#[must_use]
pub fn client_address(peer: IpAddr, x_forwarded_for: &[&str], trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    if !is_trusted(peer) {
        return peer;
    }
    let mut client = peer;
    for hop in x_forwarded_for.iter().rev().flat_map(|line| line.rsplit(',')) {
        match hop.trim().parse::<IpAddr>() {
            Ok(address) => client = address.to_canonical(),
            Err(_) => break,
        }
        if !is_trusted(client) {
            break;
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let ask = |peer: &str, lines: &[&str]| client_address(peer.parse().unwrap(), lines, &trusted).to_string();
        assert_eq!(ask("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(ask("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(ask("10.0.0.1", &["6.6.6.6, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(ask("10.0.0.1", &["6.6.6.6", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(ask("10.0.0.1", &["198.51.100.1, nonsense"]), "10.0.0.1");
        assert_eq!(ask("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(ask("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
    }
}
