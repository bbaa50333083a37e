//! Which passwords are good enough: long, not common, not made of what everybody knows of the person.
//! No composition rules and no expiry (NIST SP 800-63B §5.1.1.2).

use std::fmt;

use super::{Violation, length};

/// A password that its owner may take. It is never shown.
#[derive(Clone)]
pub struct Password(String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Password {
    pub const MIN_CHARS: usize = 12;
    pub const MAX_CHARS: usize = 128;

    /// Any Unicode, 12–128 characters. `own` are the person's name, email and the like, which it may not consist of.
    ///
    /// Strength is zxcvbn's estimate, which knows 30,000 common passwords: under 10^8 guesses is refused.
    pub fn parse(raw: &str, own: &[&str]) -> Result<Self, Vec<Violation>> {
        let mut reasons: Vec<Violation> = length("The password", raw, Self::MIN_CHARS, Self::MAX_CHARS)
            .err()
            .into_iter()
            .collect();
        if raw.contains('\0') {
            reasons.push(Violation::value("The password holds a NUL character; remove it"));
        }
        let folded = raw.trim().to_lowercase();
        if own
            .iter()
            .any(|word| word.chars().count() >= 4 && folded == word.trim().to_lowercase())
        {
            reasons.push(Violation::value(
                "The password is your own name or email address; choose another",
            ));
        } else if reasons.is_empty() && u8::from(estimate(raw, own)) < 3 {
            reasons.push(Violation::value(
                "The password is easy to guess; use several uncommon words or a password manager",
            ));
        }
        if reasons.is_empty() {
            Ok(Self(raw.to_owned()))
        } else {
            Err(reasons)
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

fn estimate(raw: &str, own: &[&str]) -> zxcvbn::Score {
    let joined: Vec<String> = own
        .iter()
        .map(|text| text.chars().filter(|c| c.is_alphanumeric()).collect())
        .collect();
    let mut words: Vec<&str> = own
        .iter()
        .flat_map(|text| text.split(['@', '.', ' ', '-', '_']))
        .collect();
    words.extend(own.iter().copied().chain(joined.iter().map(String::as_str)));
    zxcvbn::zxcvbn(raw, &words).score()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(raw: &str) -> bool {
        Password::parse(raw, &["Ada Lovelace", "ada.lovelace@example.org"]).is_err()
    }

    #[test]
    fn long_and_uncommon_passwords_are_taken() {
        for good in [
            "correct horse battery staple",
            "velvet-Otter-72-canyon",
            "пароль-длинный-и-редкий",
            "x".repeat(3).as_str(),
        ] {
            assert_eq!(refused(good), good == "xxx", "{good}");
        }
    }

    #[test]
    fn short_common_and_personal_passwords_are_refused() {
        for bad in [
            "",
            "short",
            "password1234",
            "123456789012",
            "aaaaaaaaaaaa",
            "qwertyuiopas",
            "ada.lovelace@example.org",
            "Ada Lovelace",
            "adalovelace1",
            "with\0nul-velvet-otter",
        ] {
            assert!(refused(bad), "{bad:?} was taken");
        }
        assert!(refused(&"long velvet otter ".repeat(8)), "more than 128 characters");
    }
}
