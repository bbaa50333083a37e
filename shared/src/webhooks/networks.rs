//! To which addresses events are sent: those of the public internet, and networks that the installation allows. Without
//! this, whoever can name an endpoint could let Usher call services that trust their neighbors (server-side request
//! forgery, OWASP API7:2023).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use thiserror::Error;

/// The networks of `WEBHOOK_NETWORKS`, which are allowed although they are not public. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Networks(Vec<IpNet>);

/// An address that nothing is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    #[error("{0} is not a public address; WEBHOOK_NETWORKS can allow its network")]
    NotPublic(IpAddr),
    #[error("{0} is reached without encryption; use https")]
    Plain(IpAddr),
}

impl From<Vec<IpNet>> for Networks {
    fn from(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }
}

impl Networks {
    pub(super) fn has_some(&self) -> bool {
        !self.0.is_empty()
    }

    /// Why nothing is sent to this address by this scheme; none if it may be.
    #[must_use]
    pub fn refuse(&self, address: IpAddr, scheme: &str) -> Option<Refused> {
        let address = address.to_canonical();
        if self.0.iter().any(|network| network.contains(&address)) {
            return None;
        }
        match is_public(address) {
            false => Some(Refused::NotPublic(address)),
            true if scheme != "https" => Some(Refused::Plain(address)),
            true => None,
        }
    }
}

/// By the registries of special-purpose addresses (RFC 6890, as IANA keeps them).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|network| network.contains(&address)),
        // Everything outside 2000::/3 is local, reserved, or translates to IPv4.
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|network| network.contains(&address))
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), prefix)
}

const fn v6(a: u16, b: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

const SPECIAL_V4: [Ipv4Net; 15] = [
    v4(0, 0, 0, 8),
    v4(10, 0, 0, 8),
    v4(100, 64, 0, 10),
    v4(127, 0, 0, 8),
    // Link-local, with the metadata services of clouds.
    v4(169, 254, 0, 16),
    v4(172, 16, 0, 12),
    v4(192, 0, 0, 24),
    v4(192, 0, 2, 24),
    v4(192, 88, 99, 24),
    v4(192, 168, 0, 16),
    v4(198, 18, 0, 15),
    v4(198, 51, 100, 24),
    v4(203, 0, 113, 24),
    v4(224, 0, 0, 4),
    v4(240, 0, 0, 4),
];
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 3);
const SPECIAL_V6: [Ipv6Net; 4] = [
    // IETF protocols, Teredo among them.
    v6(0x2001, 0, 23),
    v6(0x2001, 0xdb8, 32),
    // 6to4, which leads to an IPv4 address.
    v6(0x2002, 0, 16),
    v6(0x3fff, 0, 20),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_sent_to() {
        let none = Networks::default();
        let refuses = |text: &str| none.refuse(text.parse().unwrap(), "https").is_some();
        for local in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
        ] {
            assert!(refuses(local), "{local}");
        }
        for public in [
            "1.1.1.1",
            "172.32.0.1",
            "192.0.1.1",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
            "::ffff:1.1.1.1",
        ] {
            assert!(!refuses(public), "{public}");
        }
    }

    #[test]
    fn an_allowed_network_is_sent_to_and_without_encryption_too() {
        let some = Networks::from(vec!["10.1.0.0/16".parse().unwrap(), "::1/128".parse().unwrap()]);
        let refuse = |text: &str, scheme: &str| some.refuse(text.parse().unwrap(), scheme);
        for allowed in ["10.1.2.3", "::ffff:10.1.2.3", "::1"] {
            assert_eq!(
                (refuse(allowed, "https"), refuse(allowed, "http")),
                (None, None),
                "{allowed}"
            );
        }
        let (other, public) = ("10.2.0.1".parse().unwrap(), "1.1.1.1".parse().unwrap());
        assert_eq!(refuse("10.2.0.1", "http"), Some(Refused::NotPublic(other)));
        assert_eq!(refuse("1.1.1.1", "http"), Some(Refused::Plain(public)));
    }
}
