//! Which addresses mail can reach. The local part stays as typed; the domain is lower-cased and IDNA-normalised: shown
//! in Unicode, and compared and sent to in ASCII.

use std::borrow::Cow;

use caseless::default_case_fold_str;

use super::{
    text,
    violation::{Violation, length},
};

/// What an installation accepts beyond the rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EmailPolicy {
    /// Accept `.test`, `.local` and the like (`EMAIL_ALLOW_SPECIAL_DOMAINS`).
    pub allow_special_domains: bool,
}

/// An address that mail can be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    address: String,
    ascii: String,
    key: String,
}

/// Domains that no mail can be sent to: the special-use registry of RFC 6761 and its successors.
pub const SPECIAL_DOMAINS: [&str; 11] = [
    "arpa",
    "alt",
    "example",
    "home",
    "internal",
    "invalid",
    "lan",
    "local",
    "localhost",
    "onion",
    "test",
];

/// RFC 5322 §3.2.3 `atext` beyond letters and digits.
const ATEXT: &str = "!#$%&'*+-/=?^_`{|}~";

impl Email {
    /// RFC 5321 §4.5.3.1.1: 64 octets; RFC 5321 §4.5.3.1.3 leaves 254 for the whole address.
    const MAX_LOCAL_BYTES: usize = 64;
    const MAX_BYTES: usize = 254;
    /// Folding can make text longer.
    const MAX_KEY_BYTES: usize = 4 * Self::MAX_BYTES;

    pub fn parse(raw: &str, policy: EmailPolicy) -> Result<Self, Violation> {
        let raw = raw.trim_matches(|c: char| c.is_whitespace() && c != '\n' && c != '\r');
        // The same kind as every other fault of an address, as in Pydantic.
        length("an email address", raw, 1, Self::MAX_BYTES).map_err(|fault| Violation::value(fault.message))?;
        let Some((local, domain)) = raw.rsplit_once('@') else {
            return Err(Violation::value(
                "The email address must have an @, as in ada@example.org",
            ));
        };
        check_local(local)?;
        let domain = normal_domain(domain, policy)?;
        let ascii = format!("{local}@{domain}");
        if ascii.len() > Self::MAX_BYTES {
            return Err(Violation::value("The email address is too long: 254 bytes at most"));
        }
        let address = Self::shown(&ascii).into_owned();
        let key = default_case_fold_str(&ascii);
        Ok(Self { address, ascii, key })
    }

    /// The address as it is stored and shown: an internationalized domain is in Unicode (RFC 5890 U-labels).
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.address
    }

    /// The address to send to: an internationalized domain is in ASCII (RFC 5890 A-labels).
    #[must_use]
    pub fn ascii(&self) -> &str {
        &self.ascii
    }

    /// The unique key for lookups: the address, case-folded.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// An address, or a part of one, as people read it: its domain in Unicode (RFC 5895).
    #[must_use]
    pub fn shown(address: &str) -> Cow<'_, str> {
        let (local, domain) = address
            .rsplit_once('@')
            .map_or(("", address), |(local, domain)| (local, domain));
        if !domain.to_ascii_lowercase().contains("xn--") {
            return address.into();
        }
        let (unicode, _) = idna::domain_to_unicode(domain);
        // Not every domain converts to Unicode and back unchanged.
        if !idna::domain_to_ascii(&unicode).is_ok_and(|back| back.eq_ignore_ascii_case(domain)) {
            return address.into();
        }
        match address.contains('@') {
            true => format!("{local}@{unicode}").into(),
            false => unicode.into(),
        }
    }

    /// How an address in Unicode, or the beginning of one, is compared: letter case doesn't matter.
    #[must_use]
    pub fn shown_key(address: &str) -> String {
        match address.rsplit_once('@') {
            Some((local, domain)) => {
                let (domain, _) = idna::domain_to_unicode(domain);
                format!("{}@{}", default_case_fold_str(local), default_case_fold_str(&domain))
            }
            None => default_case_fold_str(address),
        }
    }

    /// The key of this text, whether or not it is a valid address.
    #[must_use]
    pub fn key_of(raw: &str) -> String {
        let raw = raw.trim();
        // Longer than any key, so it doesn't exist, and folding arbitrary input would take long.
        if let Some((beginning, _)) = raw
            .split_at_checked(raw.floor_char_boundary(Self::MAX_KEY_BYTES))
            .filter(|(_, rest)| !rest.is_empty())
        {
            return beginning.to_owned();
        }
        match raw.rsplit_once('@') {
            Some((local, domain)) => {
                let domain = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_owned());
                default_case_fold_str(&format!("{local}@{domain}"))
            }
            None => default_case_fold_str(raw),
        }
    }
}

fn check_local(local: &str) -> Result<(), Violation> {
    if local.is_empty() {
        return Err(Violation::value("The email address has nothing before the @"));
    }
    if local.len() > Email::MAX_LOCAL_BYTES {
        return Err(Violation::value("The part before the @ is too long: 64 bytes at most"));
    }
    if local.starts_with('"') {
        return Err(Violation::value("Quoted email addresses are not accepted"));
    }
    if local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Err(Violation::value(
            "The part before the @ has a dot at its start, its end or twice in a row",
        ));
    }
    let allowed = |c: char| {
        c == '.'
            || if c.is_ascii() {
                c.is_ascii_alphanumeric() || ATEXT.contains(c)
            } else {
                // RFC 6531 allows any letter; invisible ones only serve deception.
                text::has_shape(c)
            }
    };
    match local.chars().find(|c| !allowed(*c)) {
        None => text::visible("The part before the @", local),
        Some(c) if c.is_control() || c.is_whitespace() => Err(Violation::value(
            "The email address holds a space or a control character; remove it",
        )),
        Some(c) if c.is_ascii() => Err(Violation::value(format!(
            "The part before the @ cannot have the character {c}"
        ))),
        Some(_) => Err(Violation::value(
            "The part before the @ holds a character that cannot be shown",
        )),
    }
}

fn normal_domain(domain: &str, policy: EmailPolicy) -> Result<String, Violation> {
    if domain.is_empty() {
        return Err(Violation::value("The email address has nothing after the @"));
    }
    if domain.starts_with('[') {
        return Err(Violation::value(
            "Email addresses with an IP address instead of a domain are not accepted",
        ));
    }
    let wrong = || Violation::value("The part after the @ is not a valid domain, such as example.org");
    let ascii = idna::domain_to_ascii_cow(domain.as_bytes(), idna::AsciiDenyList::STD3).map_err(|_| wrong())?;
    let labels: Vec<&str> = ascii.split('.').collect();
    let valid =
        |label: &&str| !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-');
    if ascii.len() > 253 || !labels.iter().all(valid) {
        return Err(wrong());
    }
    let top = labels[labels.len() - 1];
    if labels.len() < 2 {
        let known = policy.allow_special_domains && SPECIAL_DOMAINS.contains(&top);
        return if known {
            Ok(ascii.into_owned())
        } else {
            Err(Violation::value("The part after the @ needs a dot, as in example.org"))
        };
    }
    if top.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Violation::value(
            "Email addresses with an IP address instead of a domain are not accepted",
        ));
    }
    if !policy.allow_special_domains && SPECIAL_DOMAINS.contains(&top) {
        return Err(Violation::value(format!(
            "Mail cannot be sent to .{top} domains; give an address that receives mail"
        )));
    }
    Ok(ascii.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &str) -> Result<Email, Violation> {
        Email::parse(raw, EmailPolicy::default())
    }

    #[test]
    fn the_local_part_stays_as_typed_and_the_domain_is_normalised() {
        let email = parse("Ada.Lovelace@EXAMPLE.Org").unwrap();
        assert_eq!(email.as_str(), "Ada.Lovelace@example.org");
        assert_eq!(email.key(), "ada.lovelace@example.org");
        for same in [
            "ada@bücher.de",
            "ada@BÜCHER.de",
            "ada@bu\u{308}cher.de",
            "ada@xn--bcher-kva.de",
            "ada@XN--BCHER-KVA.DE",
        ] {
            let email = parse(same).unwrap();
            assert_eq!(
                (email.as_str(), email.ascii()),
                ("ada@bücher.de", "ada@xn--bcher-kva.de"),
                "{same}"
            );
            assert_eq!(email.key(), "ada@xn--bcher-kva.de");
        }
        assert_eq!(
            parse("STRASSE@example.org").unwrap().key(),
            parse("straße@example.org").unwrap().key()
        );
        assert_eq!(Email::key_of(" Ada@Bücher.DE "), "ada@xn--bcher-kva.de");
    }

    #[test]
    fn what_mail_can_reach_is_accepted() {
        for valid in [
            "a@b.co",
            "ada+tag@example.org",
            "o'brien@example.ie",
            "x_y-z@sub.example.museum",
            "用户@例子.公司",
            "a!#$%&'*+/=?^_`{|}~b@example.org",
            "1@2.io",
            "test@example.com",
            "пользователь@пример.рф",
        ] {
            assert!(parse(valid).is_ok(), "{valid}: {:?}", parse(valid));
        }
    }

    #[test]
    fn what_mail_cannot_reach_is_refused() {
        let long_local = format!("{}@example.org", "a".repeat(65));
        let long = format!("a@{}.org", "b.".repeat(130));
        let long_label = format!("a@{}.org", "b".repeat(64));
        for invalid in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "ada@localhost",
            "ada@example",
            "ada@example..org",
            "ada@.example.org",
            "ada@example.org.",
            ".ada@example.org",
            "ada.@example.org",
            "a..b@example.org",
            "a b@example.org",
            "\"ada\"@example.org",
            "ada@[127.0.0.1]",
            "ada@127.0.0.1",
            "ada@-example.org",
            "ada@example-.org",
            "ada@exa_mple.org",
            "a@b@example.org",
            "ada@example.test",
            "ada@printer.local",
            "ada\0@example.org",
            "ada\n@example.org",
            "ada@example.org\r\nBcc: eve@example.org",
            "a,b@example.org",
            "a<b>@example.org",
            "ada@example.invalid",
            "a\u{200b}b@example.org",
            "a\u{202e}b@example.org",
            "a\u{e000}b@example.org",
            "a\u{378}b@example.org",
            "\u{301}@example.org",
            "ada@exa mple.org",
            &long_local,
            &long,
            &long_label,
        ] {
            assert!(parse(invalid).is_err(), "{invalid:?} was accepted");
        }
    }

    #[test]
    fn special_domains_pass_where_the_installation_allows_them() {
        let policy = EmailPolicy {
            allow_special_domains: true,
        };
        assert!(Email::parse("ada@mail.test", policy).is_ok());
        assert!(Email::parse("ada@localhost", policy).is_ok());
        assert!(Email::parse("ada@nowhere", policy).is_err());
    }
}
