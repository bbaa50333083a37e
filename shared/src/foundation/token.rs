//! Tokens: `<prefix>_<30 base62>_<6 base62>`, the last part a CRC-32 of the rest. The checksum saves a query for typos
//! and lets secret scanners match without false positives.

use std::fmt;

use strum::{IntoStaticStr, VariantArray};

use crate::foundation::crypto::{random, sha256};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_CHARS: usize = 30;
const CHECK_CHARS: usize = 6;

/// What a token is for, shown by its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(const_into_str)]
pub enum TokenKind {
    #[strum(serialize = "uak")]
    ApiKey,
    #[strum(serialize = "uat")]
    Access,
    #[strum(serialize = "urt")]
    Refresh,
    /// Sent by mail, single-use.
    #[strum(serialize = "umt")]
    Mail,
    #[strum(serialize = "uas")]
    AdminSession,
    /// Between password and second factor, single-use.
    #[strum(serialize = "umf")]
    MfaChallenge,
}

impl TokenKind {
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        self.into_str()
    }
}

/// A well-formed token with about 178 bits of randomness. Only its SHA-256 is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}_…)", &self.0[..3])
    }
}

impl Token {
    #[must_use]
    pub fn generate(kind: TokenKind) -> Self {
        Self::derive(kind, random())
    }

    /// The token of these bytes: the same bytes, the same token. They must be as good as random.
    ///
    /// The remainder by 62^30 of a 256-bit number favours no token by more than 2^-77.
    #[must_use]
    pub fn derive(kind: TokenKind, secret: [u8; 32]) -> Self {
        let mut rest = secret;
        let mut token = format!("{}_", kind.prefix());
        token.extend((0..RANDOM_CHARS).map(|_| char::from(BASE62[divide_by_62(&mut rest)])));
        let check = checksum(&token);
        token.push('_');
        token.push_str(&check);
        Self(token)
    }

    /// Parses a token of this kind whose format and checksum are right; none otherwise, without a query.
    #[must_use]
    pub fn parse(kind: TokenKind, text: &str) -> Option<Self> {
        let rest = text.strip_prefix(kind.prefix())?.strip_prefix('_')?;
        let (secret, check) = rest.split_once('_')?;
        let base62 = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let shaped = secret.len() == RANDOM_CHARS && check.len() == CHECK_CHARS && base62(secret) && base62(check);
        let body = text.get(..text.len().checked_sub(CHECK_CHARS + 1)?)?;
        (shaped && checksum(body) == check).then(|| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hash that is stored and looked up.
    #[must_use]
    pub fn hash(&self) -> Vec<u8> {
        sha256(self.0.as_bytes()).to_vec()
    }

    /// The first characters, which people recognize their keys by.
    #[must_use]
    pub fn hint(&self) -> String {
        self.0[..8].to_owned()
    }
}

/// Divides a big-endian number and returns the remainder.
fn divide_by_62(number: &mut [u8]) -> usize {
    let mut remainder = 0_u16;
    for digit in number {
        let part = remainder << 8 | u16::from(*digit);
        // Below 256, because the remainder before was below 62.
        *digit = (part / 62) as u8;
        remainder = part % 62;
    }
    usize::from(remainder)
}

fn checksum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = [b'0'; CHECK_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_token_parses_as_its_own_kind_only() {
        let token = Token::generate(TokenKind::ApiKey);
        assert_eq!(token.as_str().len(), 3 + 1 + 30 + 1 + 6);
        assert_eq!(Token::parse(TokenKind::ApiKey, token.as_str()), Some(token.clone()));
        assert_eq!(Token::parse(TokenKind::Access, token.as_str()), None);
        assert!(!format!("{token:?}").contains(&token.as_str()[5..]));
    }

    #[test]
    fn a_typo_fails_the_checksum() {
        let token = Token::generate(TokenKind::Mail).as_str().to_owned();
        for (at, byte) in token.bytes().enumerate() {
            let other = if byte == b'x' { 'y' } else { 'x' };
            let typo = format!("{}{other}{}", &token[..at], &token[at + 1..]);
            assert_eq!(Token::parse(TokenKind::Mail, &typo), None, "{typo}");
        }
        for odd in ["", "umt", "umt_", "umt__", "umt_é", &token[..40], &format!("{token}0")] {
            assert_eq!(Token::parse(TokenKind::Mail, odd), None);
        }
    }

    #[test]
    fn a_derived_token_is_the_bytes_in_base_62() {
        let token = Token::derive(TokenKind::Refresh, [0; 32]);
        assert!(token.as_str().starts_with("urt_000000000000000000000000000000_"));
        let mut bytes = [0; 32];
        bytes[30..].copy_from_slice(&[1, 1]); // 257 = 4 · 62 + 9, the lowest digit first
        assert!(
            Token::derive(TokenKind::Refresh, bytes)
                .as_str()
                .starts_with("urt_94000")
        );
        let token = Token::derive(TokenKind::Refresh, [255; 32]);
        assert_eq!(Token::parse(TokenKind::Refresh, token.as_str()), Some(token));
    }

    #[test]
    fn the_checksum_is_the_crc_32_of_everything_before_it() {
        // CRC-32 (IEEE) of "123456789" is 0xCBF43926 = 3421780262.
        assert_eq!(checksum("123456789"), "3jZRME");
    }
}
