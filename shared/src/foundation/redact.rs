//! Removes secrets from text that people read: tokens anywhere, and the query and fragment of links. A mark shows where
//! something was removed.

use std::borrow::Cow;

use strum::VariantArray;

use crate::foundation::token::TokenKind;

/// Replaces what was removed.
const GAP: char = '…';
/// From this many characters after the prefix on it is no hint but the token, or most of it.
const TELLING: usize = 16;

/// The text with every token reduced to its prefix. Keeps hints, the beginning of a key that people recognize it by.
#[must_use]
pub fn tokens(text: &str) -> Cow<'_, str> {
    let mut cut = String::new();
    let mut rest = text;
    while let Some((start, length)) = next_token(rest) {
        cut.push_str(&rest[..start]);
        cut.push(GAP);
        rest = &rest[start + length..];
    }
    if cut.is_empty() && rest.len() == text.len() {
        return Cow::Borrowed(text);
    }
    cut.push_str(rest);
    Cow::Owned(cut)
}

/// Start and length of what follows the first token's prefix.
fn next_token(text: &str) -> Option<(usize, usize)> {
    let found = TokenKind::VARIANTS.iter().filter_map(|kind| {
        let prefix = kind.prefix();
        let starts = text.match_indices(prefix).filter_map(|(at, _)| {
            let secret = text[at + prefix.len()..].strip_prefix('_')?;
            let length = secret
                .bytes()
                .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
                .count();
            (length >= TELLING).then_some((at + prefix.len() + 1, length))
        });
        starts.min()
    });
    found.min()
}

/// The text without tokens, and without what follows `?` or `#` in web addresses, which is where mailed links have
/// their secrets. Also works on HTML.
#[must_use]
pub fn links(text: &str) -> String {
    let mut cut = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = next_address(rest) {
        let (before, from) = rest.split_at(start);
        cut.push_str(before);
        let end = from
            .find(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | '<' | '>'))
            .unwrap_or(from.len());
        let (address, after) = from.split_at(end);
        match address.find(['?', '#']) {
            Some(at) => {
                cut.push_str(&address[..=at]);
                cut.push(GAP);
            }
            None => cut.push_str(address),
        }
        rest = after;
    }
    cut.push_str(rest);
    tokens(&cut).into_owned()
}

/// In any letter case (RFC 3986 §3.1).
fn next_address(text: &str) -> Option<usize> {
    text.match_indices("://").find_map(|(at, _)| {
        let before = &text.as_bytes()[..at];
        let ends = |scheme: &[u8]| {
            let start = before.len().checked_sub(scheme.len())?;
            before[start..].eq_ignore_ascii_case(scheme).then_some(start)
        };
        ends(b"https").or_else(|| ends(b"http"))
    })
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
