//! Removes secrets from text that people read: tokens anywhere, and the query and fragment of links. A mark shows where
//! something was removed.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;
use strum::VariantArray;

use crate::foundation::token::TokenKind;

/// A token, after its prefix. From 16 characters on it is no hint but the token, or most of it.
static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    let prefixes: Vec<_> = TokenKind::VARIANTS.iter().map(|kind| kind.prefix()).collect();
    // And secrets of webhooks, in base64.
    let kinds = prefixes.join("|");
    pattern(&format!(
        "((?:{kinds})_)[A-Za-z0-9_]{{16,}}|(whsec_)[A-Za-z0-9+/=]{{16,}}"
    ))
});
/// What follows `?` or `#` in a web address. The scheme may be in any letter case (RFC 3986 §3.1).
static QUERY: LazyLock<Regex> = LazyLock::new(|| pattern(r#"((?i:https?)://[^\s"'<>?\#]*[?\#])[^\s"'<>]*"#));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

/// The text with every token reduced to its prefix. Keeps hints, the beginning of a key that people recognize it by.
#[must_use]
pub fn tokens(text: &str) -> Cow<'_, str> {
    TOKEN.replace_all(text, "${1}${2}…")
}

/// The text without tokens, and without what follows `?` or `#` in web addresses, which is where mailed links have
/// their secrets. Also works on HTML.
#[must_use]
pub fn links(text: &str) -> String {
    tokens(&QUERY.replace_all(text, "${1}…")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foundation::token::Token;

    #[test]
    fn tokens_of_every_kind_are_cut_wherever_they_stand() {
        for kind in TokenKind::VARIANTS {
            let token = Token::generate(*kind);
            let token = token.as_str();
            for text in [
                token.to_owned(),
                format!("before {token}, {token} after"),
                format!("{{\"link\":\"x?token={token}\"}}"),
                format!("é{token}é"),
                token[..25].to_owned(),
            ] {
                let cut = tokens(&text);
                assert!(
                    !cut.contains(&token[4..20]) && cut.contains(&format!("{}_…", kind.prefix())),
                    "{cut}"
                );
            }
        }
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa+w/A==";
        assert_eq!(tokens(&format!("a {secret}, b")), "a whsec_…, b");
        for plain in ["", "uak_0aB1cD2e…", "umt_ and uat", "quak_quak", "http://x/?token=umt"] {
            assert!(matches!(tokens(plain), Cow::Borrowed(_)), "{plain}");
        }
    }

    #[test]
    fn a_link_keeps_its_address_and_loses_what_it_carries() {
        assert_eq!(
            links("Set it at https://app.example/set-password?token=umt_short\nuntil 5.\nSee http://x.example/a#b c."),
            "Set it at https://app.example/set-password?…\nuntil 5.\nSee http://x.example/a#… c."
        );
        assert_eq!(
            links("<a href=\"http://x/y?token=umt_1&amp;z\">http://x/y?token=umt_1</a><img src='https://x/z'>"),
            "<a href=\"http://x/y?…\">http://x/y?…</a><img src='https://x/z'>"
        );
        let token = Token::generate(TokenKind::Mail);
        let text = format!("http://x/reset/{} or {}", token.as_str(), token.as_str());
        assert_eq!(links(&text), "http://x/reset/umt_… or umt_…");
        assert_eq!(links("HTTPS://x/?q ftp://x/?q"), "HTTPS://x/?… ftp://x/?q");
    }
}
