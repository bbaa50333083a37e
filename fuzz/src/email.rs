//! Email addresses: what is accepted can be mailed, is found again, and reads the same a second time.

use usher_shared::foundation::rules::{Email, EmailPolicy};

/// A typed address in UTF-8.
pub fn email(data: &[u8]) {
    let Ok(raw) = str::from_utf8(data) else { return };
    let everywhere = EmailPolicy {
        allow_special_domains: true,
    };
    let email = Email::parse(raw, everywhere);
    if let Ok(public) = Email::parse(raw, EmailPolicy::default()) {
        assert_eq!(email.as_ref(), Ok(&public), "the policy only refuses");
    }
    let Ok(email) = email else { return };
    let address = email.as_str();
    assert_eq!(Email::parse(address, everywhere).as_ref(), Ok(&email), "{address:?}");
    for text in [raw, address, email.key()] {
        assert_eq!(Email::key_of(text), email.key(), "{text:?} is found as another");
    }
    let ascii = email.ascii();
    assert_eq!(Email::parse(ascii, everywhere).as_ref(), Ok(&email), "{ascii:?}");
    let (local, domain) = ascii.rsplit_once('@').expect("an @");
    judge_local(local);
    judge_domain(domain);
    assert!(ascii.len() <= 254, "RFC 5321 §4.5.3.1.3: {ascii:?}");
}

/// A dot-atom of RFC 5322 §3.2.3, widened by RFC 6531 §3.3 to letters beyond ASCII.
fn judge_local(local: &str) {
    assert!((1..=64).contains(&local.len()), "RFC 5321 §4.5.3.1.1: {local:?}");
    let is_atext = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || !c.is_ascii();
    let is_atom = |atom: &str| !atom.is_empty() && atom.chars().all(is_atext);
    assert!(local.split('.').all(is_atom), "{local:?}");
    assert!(!local.chars().any(|c| c.is_control() || c.is_whitespace()), "{local:?}");
}

/// Labels of letters, digits and inner hyphens (RFC 1123 §2.1), in lower case.
fn judge_domain(domain: &str) {
    assert!(domain.len() <= 253, "RFC 1035 §2.3.4: {domain:?}");
    for label in domain.split('.') {
        let letters = label
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        let inner = !label.starts_with('-') && !label.ends_with('-');
        assert!(letters && inner && (1..=63).contains(&label.len()), "{domain:?}");
    }
}
