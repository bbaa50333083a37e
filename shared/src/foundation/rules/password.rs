//! Which passwords are good enough: long, not common, and not made of what is known about the person or the product. No
//! composition rules and no expiry (NIST SP 800-63B §5.1.1.2).

mod guesses;
mod keyboard;
mod words;

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use super::violation::{Violation, length};

/// An acceptable password. It is never shown.
#[derive(Clone)]
pub struct Password(String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// How many guesses a password must withstand, as a power of ten.
const LEAST_GUESSES: f32 = 8.0;

impl Password {
    pub const MIN_CHARS: usize = 12;
    pub const MAX_CHARS: usize = 128;
    /// The limit for the raw text: composed characters can be sent in many parts, which become one.
    pub(crate) const MAX_BYTES: usize = 2_048;

    /// Any Unicode, 12–128 characters in its [normal form](Self::normal). It must not be made of `own`, the person's
    /// name, email and the like, nor of the product's name, common words, dates and keyboard patterns.
    ///
    /// Takes less than a millisecond for any input.
    pub fn parse(raw: &str, own: &[&str]) -> Result<Self, Vec<Violation>> {
        let normal = Self::normal(raw).unwrap_or_else(|| raw.to_owned());
        let mut reasons: Vec<Violation> = length("a password", &normal, Self::MIN_CHARS, Self::MAX_CHARS)
            .err()
            .into_iter()
            .collect();
        if normal.contains('\0') {
            reasons.push(Violation::value("The password holds a NUL character; remove it"));
        }
        let is_short_enough = normal.len() <= Self::MAX_CHARS * 4;
        if is_short_enough && is_one_of(&normal, own) {
            reasons.push(Violation::value(
                "The password is your own name or email address; choose another",
            ));
        } else if reasons.is_empty() && guesses::magnitude(&normal, own) < LEAST_GUESSES {
            reasons.push(Violation::value(
                "The password is easy to guess; use several uncommon words or a password manager",
            ));
        }
        if reasons.is_empty() {
            Ok(Self(normal))
        } else {
            Err(reasons)
        }
    }

    /// The password as it is hashed, in NFKC: the same keys produce different characters on different systems, such as
    /// decomposed letters on macOS and wide ones with some Japanese keyboards. NIST SP 800-63B §5.1.1.2 recommends NFKC
    /// or NFKD, and RFC 8265's OpaqueString the NFC that NFKC implies. None if it is longer than any password.
    pub(crate) fn normal(raw: &str) -> Option<String> {
        (raw.len() <= Self::MAX_BYTES).then(|| raw.nfkc().collect())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

fn is_one_of(password: &str, own: &[&str]) -> bool {
    let folded = password.trim().to_lowercase();
    own.iter()
        .any(|word| word.chars().count() >= 4 && folded == word.trim().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: [&str; 3] = ["Ada Lovelace", "ada.lovelace@example.org", "Usher"];

    fn refused(raw: &str) -> bool {
        Password::parse(raw, &OWN).is_err()
    }

    #[test]
    fn long_and_uncommon_passwords_are_taken() {
        for good in [
            "correct horse battery staple",
            "velvet-Otter-72-canyon",
            "amber-Walrus-44-piano",
            "four uncommon words together",
            "not the one at all",
            "пароль-длинный-и-редкий",
            "正しい馬の電池とホッチキス",
            "mK4!vQ9$tZ2x",
            "839201746529",
            "'4@8({[<369&#!1/|0$5+7%2'*6",
        ] {
            assert!(!refused(good), "{good}");
        }
    }

    #[test]
    fn short_common_and_personal_passwords_are_refused() {
        for bad in [
            "",
            "xxx",
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

    #[test]
    fn common_words_are_known_in_every_dress() {
        for bad in [
            // The product and the person.
            "usherusherusher",
            "Usher-Password-2026!",
            "Us3r&Ush3r&2026",
            "Lovelace.Ada.1815",
            "4d4-L0v3l4c3-4d4",
            "example.org2026!",
            // Repeated, reversed and spelled with digits.
            "letmein-letmein",
            "letmeinletmein",
            "l3tm31n_L3TM31N",
            "p@$$w0rd-P@$$w0rd",
            "drowssap-password",
            "p.a.s.s.w.o.r.d.",
            "ilovemonkey ilovemonkey",
            "x9#kx9#kx9#k",
            // Seasons, months, days and years, with padding.
            "Summer2026!!!!",
            "Winter#2026#Pass",
            "December-2026-12",
            "2026Monday2026!",
            "Sommer2026!Sommer",
            "Été-2026-été!!",
            "12/03/1984 1984",
            // The keyboard and the alphabet.
            "1qaz2wsx3edc",
            "!QAZ@WSX#EDC",
            "qwertyuiop[]",
            "asdfghjkl;'zxcv",
            "йцукенгшщзхъ",
            "abcdefghijklmnop",
            "abc123abc123abc",
            "zyxwvutsrqpo",
            "135791357913579",
            // Common ones together.
            "Welcome123!!!",
            "password-welcome1",
            "trustno1trustno1",
            "admin1234admin",
            "ｐａｓｓｗｏｒｄ１２３４",
        ] {
            assert!(refused(bad), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_password_is_kept_and_counted_in_its_normal_form() {
        let of = |raw: &str| Password::parse(raw, &[]).unwrap().0;
        let composed = of("crème-brûlée-72-otter");
        assert_eq!(of("cre\u{300}me-bru\u{302}le\u{301}e-72-otter"), composed);
        assert_eq!(
            of("ｃｒème-brûlée\u{2011}72\u{2011}otter"
                .replace('\u{2011}', "-")
                .as_str()),
            composed
        );
        assert!(
            refused("e\u{301}o\u{301}u\u{301}a\u{301}y\u{301}z"),
            "eleven characters sent as more are eleven"
        );
        let decomposed = "o\u{308}u\u{308}".repeat(64);
        assert_eq!(decomposed.chars().count(), 256);
        let faults = Password::parse(&decomposed, &[]).unwrap_err();
        assert!(
            faults[0].message.contains("easy to guess"),
            "128 characters are not too many: {faults:?}"
        );
        assert!(refused(&"velvet otter ".repeat(1_000)));
    }
}
