//! The two tokens of a session, and which pair follows which in a refresh.

use crate::foundation::{
    crypto::SecretKey,
    token::{Token, TokenKind},
};

/// An access token and the refresh token that goes with it.
#[derive(Clone, Debug)]
pub struct Pair {
    pub access: Token,
    pub refresh: Token,
}

impl Pair {
    pub(super) fn generate() -> Self {
        Self {
            access: Token::generate(TokenKind::Access),
            refresh: Token::generate(TokenKind::Refresh),
        }
    }

    /// The pairs that this refresh token may have been exchanged for, one per secret key, newest first. Nobody without
    /// the key can predict them.
    pub(super) fn after(key: &SecretKey, refresh: &Token) -> impl Iterator<Item = Self> {
        let shown = refresh.as_str().as_bytes();
        let access = key.signatures("access token after a refresh", shown);
        let refresh = key.signatures("refresh token after a refresh", shown);
        access.zip(refresh).map(|(access, refresh)| Self {
            access: Token::derive(TokenKind::Access, access),
            refresh: Token::derive(TokenKind::Refresh, refresh),
        })
    }

    /// The wanted pair among those that follow this refresh token, at most `steps` exchanges away.
    pub(super) fn find(
        key: &SecretKey,
        refresh: &Token,
        steps: usize,
        wanted: &impl Fn(&Self) -> bool,
    ) -> Option<Self> {
        let next = || Self::after(key, refresh);
        let further = || next().find_map(|pair| Self::find(key, &pair.refresh, steps - 1, wanted));
        next().find(wanted).or_else(|| (steps > 1).then(further)?)
    }
}
