//! The client's address behind trusted proxies. What cannot be parsed is never guessed: the request then counts as that
//! of the nearest parsed hop, so that nobody can choose the address they are limited by.

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv6Addr},
};

use ipnet::IpNet;
use strum::{IntoStaticStr, VariantArray};

/// The proxies' header lines, as sent and in order. A line omitted because it is not text could be the one that counts.
#[derive(Clone, Debug, Default)]
pub struct Forwarding<'a> {
    /// `X-Forwarded-For`.
    pub x_forwarded_for: Vec<&'a [u8]>,
    /// `Forwarded` (RFC 7239).
    pub forwarded: Vec<&'a [u8]>,
}

/// The origin of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    pub address: IpAddr,
    /// The header of a trusted proxy that could not be parsed.
    pub unread: Option<Unread>,
}

/// Which header could not be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum Unread {
    XForwardedFor,
    Forwarded,
    /// Both are present and name different clients. A proxy sets one of them and passes the other through from the
    /// client, and nobody can tell which.
    Both,
}

impl Unread {
    pub const ALL: [Self; Self::VARIANTS.len()] = *Self::VARIANTS.first_chunk().expect("of this length");

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

/// The client's address: the peer or, if the peer is a trusted proxy, the last address in its header that isn't a
/// trusted proxy's. Ignores headers of untrusted peers.
#[must_use]
pub fn client_address(peer: IpAddr, forwarding: &Forwarding<'_>, trusted: &[IpNet]) -> Client {
    let peer = peer.to_canonical();
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    let found = |address, unread| Client { address, unread };
    if !is_trusted(peer) {
        return found(peer, None);
    }
    let one = hops(&forwarding.x_forwarded_for, addresses);
    let other = hops(&forwarding.forwarded, nodes);
    let walk = |hops: &[Option<IpAddr>], unread| {
        let mut client = peer;
        for hop in hops {
            let Some(address) = *hop else {
                return found(client, Some(unread));
            };
            client = address;
            if !is_trusted(client) {
                break;
            }
        }
        found(client, None)
    };
    let one = (!one.is_empty()).then(|| walk(&one, Unread::XForwardedFor));
    let other = (!other.is_empty()).then(|| walk(&other, Unread::Forwarded));
    match (one, other) {
        (Some(one), Some(other)) if one.address != other.address => found(peer, Some(Unread::Both)),
        (Some(client), _) | (None, Some(client)) => client,
        (None, None) => found(peer, None),
    }
}

/// All hops of a header, nearest first; none for one that cannot be parsed.
fn hops(lines: &[&[u8]], read: fn(&str) -> Vec<Option<IpAddr>>) -> Vec<Option<IpAddr>> {
    let lines = lines.iter().rev();
    lines.flat_map(|line| read(&String::from_utf8_lossy(line))).collect()
}

/// `X-Forwarded-For`, from its end; empty elements are skipped (RFC 9110 §5.6.1.2).
fn addresses(line: &str) -> Vec<Option<IpAddr>> {
    let hops = line.rsplit(',').map(str::trim).filter(|hop| !hop.is_empty());
    hops.map(|hop| {
        let bare = hop.strip_prefix('"').and_then(|hop| hop.strip_suffix('"'));
        address(bare.unwrap_or(hop))
    })
    .collect()
}

/// `Forwarded`, from its end. A line that is malformed anywhere is rejected as a whole: an open quote from the client
/// could swallow what the proxy added.
fn nodes(line: &str) -> Vec<Option<IpAddr>> {
    let Some(mut elements) = elements(line) else {
        return vec![None];
    };
    elements.reverse();
    elements
}

/// The `for` of each element (RFC 7239 §4).
fn elements(line: &str) -> Option<Vec<Option<IpAddr>>> {
    let (mut elements, mut rest) = (vec![], line);
    loop {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        if rest.is_empty() {
            return Some(elements);
        }
        let (mut names, mut node) = (vec![], None);
        loop {
            let (name, after) = rest.trim_start().split_once('=')?;
            let name = name.to_ascii_lowercase();
            let is_token = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            if !is_token || names.contains(&name) {
                return None;
            }
            let (value, after) = value(after)?;
            if name == "for" {
                node = address(&value);
            }
            names.push(name);
            rest = after.trim_start();
            match rest.chars().next() {
                Some(';') => rest = &rest[1..],
                Some(',') | None => break,
                Some(_) => return None,
            }
        }
        elements.push(node);
    }
}

/// A token or a quoted string, and what follows it. Accepts addresses that a proxy forgot to quote.
fn value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',', ' ', '\t', '"']).unwrap_or(text.len());
        return Some((Cow::Borrowed(&text[..end]), &text[end..]));
    };
    let (mut read, mut chars) = (String::new(), quoted.char_indices());
    loop {
        match chars.next()? {
            (at, '"') => return Some((Cow::Owned(read), &quoted[at + 1..])),
            (_, '\\') => read.push(chars.next()?.1),
            (_, c) => read.push(c),
        }
    }
}

/// An address, optionally with a port, for which IPv6 needs brackets, or with a zone. None for `unknown` and obfuscated
/// names (RFC 7239 §6).
fn address(text: &str) -> Option<IpAddr> {
    if let Some((inside, port)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let is_good = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return ipv6(inside).filter(|_| is_good);
    }
    if let Some((host, port)) = text.split_once(':').filter(|(_, port)| !port.contains(':')) {
        return host.parse().ok().filter(|_| is_port(port)).map(IpAddr::V4);
    }
    let ipv4 = text.parse().map(IpAddr::V4).ok();
    ipv4.or_else(|| ipv6(text))
}

fn ipv6(text: &str) -> Option<IpAddr> {
    let (address, zone) = text.split_once('%').unwrap_or((text, "0"));
    let address: Ipv6Addr = address.parse().ok().filter(|_| !zone.is_empty())?;
    Some(IpAddr::V6(address).to_canonical())
}

/// A number, or an obfuscated name.
fn is_port(text: &str) -> bool {
    let is_number = text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok();
    is_number || text.strip_prefix('_').is_some_and(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(peer: &str, x_forwarded_for: &[&str], forwarded: &[&str]) -> (String, Option<Unread>) {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap()).to_vec();
        let bytes = |lines: &[&str]| {
            lines
                .iter()
                .map(|line| line.to_string().into_bytes())
                .collect::<Vec<_>>()
        };
        let (one, other) = (bytes(x_forwarded_for), bytes(forwarded));
        let forwarding = Forwarding {
            x_forwarded_for: one.iter().map(Vec::as_slice).collect(),
            forwarded: other.iter().map(Vec::as_slice).collect(),
        };
        let Client { address, unread } = client_address(peer.parse().unwrap(), &forwarding, &trusted);
        (address.to_string(), unread)
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let ask = |peer: &str, lines: &[&str]| ask(peer, lines, &[]);
        let understood = |address: &str| (address.to_owned(), None);
        assert_eq!(ask("203.0.113.9", &["198.51.100.1"]), understood("203.0.113.9"));
        assert_eq!(ask("203.0.113.9", &["nonsense"]), understood("203.0.113.9"));
        assert_eq!(ask("10.0.0.1", &["198.51.100.1"]), understood("198.51.100.1"));
        assert_eq!(
            ask("10.0.0.1", &["6.6.6.6, 198.51.100.1, 10.0.0.2"]),
            understood("198.51.100.1")
        );
        assert_eq!(
            ask("10.0.0.1", &["6.6.6.6", "198.51.100.1"]),
            understood("198.51.100.1")
        );
        assert_eq!(ask("10.0.0.1", &["nonsense, 198.51.100.1"]), understood("198.51.100.1"));
        assert_eq!(ask("10.0.0.1", &["198.51.100.1,, ,", ""]), understood("198.51.100.1"));
        assert_eq!(ask("10.0.0.1", &[]), understood("10.0.0.1"));
        assert_eq!(ask("10.0.0.1", &["", " , "]), understood("10.0.0.1"));
        assert_eq!(ask("::ffff:10.0.0.1", &["198.51.100.1"]), understood("198.51.100.1"));
    }

    #[test]
    fn an_address_is_understood_however_a_proxy_writes_it() {
        for (written, address) in [
            ("203.0.113.8:51234", "203.0.113.8"),
            ("\"203.0.113.8:51234\"", "203.0.113.8"),
            ("::ffff:203.0.113.8", "203.0.113.8"),
            ("[::ffff:203.0.113.8]:1", "203.0.113.8"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("\"[2001:db8::1]:443\"", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:80", "fe80::1"),
        ] {
            let expected = (address.to_owned(), None);
            assert_eq!(
                ask("10.0.0.1", &[&format!("6.6.6.6, {written}")], &[]),
                expected,
                "{written}"
            );
            let node = written.trim_matches('"');
            for element in [
                format!("for=\"{node}\""),
                format!("proto=https;For=\"{node}\" ; by=_x"),
                format!("for={node}"),
            ] {
                let line = format!("for=6.6.6.6, {element}");
                assert_eq!(ask("10.0.0.1", &[], &[&line]), expected, "{line}");
            }
        }
    }

    #[test]
    fn what_is_not_understood_counts_as_the_nearest_hop_that_was() {
        for strange in [
            "unknown",
            "_hidden",
            "nonsense",
            "203.0.113.8:",
            "203.0.113.8:99999",
            "203.0.113.8:8x",
            "[203.0.113.8]",
            "[2001:db8::1",
            "2001:db8::1]:80",
            "203.0.113",
            "203.0.113.8 x",
            "\"",
            "fe80::1%",
            "203.0.113.08",
        ] {
            let near = ("10.0.0.2".to_owned(), Some(Unread::XForwardedFor));
            let line = format!("198.51.100.1, {strange}, 10.0.0.2");
            assert_eq!(ask("10.0.0.1", &[&line], &[]), near, "{line}");
        }
        for strange in [
            "for=unknown",
            "for=_hidden",
            "for=\"_hidden:_port\"",
            "proto=https",
            "for=",
            "for=\"\"",
        ] {
            let near = ("10.0.0.2".to_owned(), Some(Unread::Forwarded));
            let line = format!("for=198.51.100.1, {strange}, for=10.0.0.2");
            assert_eq!(ask("10.0.0.1", &[], &[&line]), near, "{line}");
        }
        // A quote that the client opens swallows what the proxy adds to the line, so nothing of it is trusted.
        for forged in [
            "for=6.6.6.6;by=\", for=198.51.100.1",
            "for=6.6.6.6;by=\", for=\"[2001:db8::1]:80\"",
            "for=6.6.6.6\", for=198.51.100.1",
            "for=6.6.6.6;for=7.7.7.7, for=198.51.100.1",
            "6.6.6.6, for=198.51.100.1",
        ] {
            let near = ("10.0.0.1".to_owned(), Some(Unread::Forwarded));
            assert_eq!(ask("10.0.0.1", &[], &[forged]), near, "{forged}");
        }
        assert_eq!(ask("10.0.0.1", &[], &["for=\"", "for=198.51.100.1"]).0, "198.51.100.1");
    }

    #[test]
    fn of_two_headers_that_disagree_neither_is_believed() {
        let peer = ("10.0.0.1".to_owned(), Some(Unread::Both));
        assert_eq!(ask("10.0.0.1", &["198.51.100.1"], &["for=6.6.6.6"]), peer);
        assert_eq!(ask("10.0.0.1", &["198.51.100.1"], &["nonsense"]), peer);
        assert_eq!(ask("203.0.113.9", &["198.51.100.1"], &["for=6.6.6.6"]).0, "203.0.113.9");
        let both = ("198.51.100.1".to_owned(), None);
        assert_eq!(
            ask("10.0.0.1", &["6.6.6.6, 198.51.100.1"], &["for=\"198.51.100.1:80\""]),
            both
        );
        assert_eq!(ask("10.0.0.1", &["198.51.100.1"], &[" , "]), both);
    }

    #[test]
    fn a_line_that_is_no_text_hides_none_behind_it() {
        let trusted: [IpNet; 1] = ["10.0.0.0/8".parse().unwrap()];
        let forwarding = Forwarding {
            x_forwarded_for: vec![b"6.6.6.6", b"\xff, 198.51.100.1"],
            forwarded: vec![],
        };
        let client = client_address("10.0.0.1".parse().unwrap(), &forwarding, &trusted);
        assert_eq!(client.address.to_string(), "198.51.100.1");
    }
}
