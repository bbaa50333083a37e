//! Tokens and API keys: one kind each, as typed or not at all, and no slip of a finger is another token.

use arbitrary::Unstructured;
use usher_shared::foundation::token::{Token, TokenKind};

const KINDS: [TokenKind; 6] = [
    TokenKind::ApiKey,
    TokenKind::Access,
    TokenKind::Refresh,
    TokenKind::Mail,
    TokenKind::AdminSession,
    TokenKind::MfaChallenge,
];

/// What a client sent, and as bytes a secret, a kind and a slip.
pub fn token(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        read(text);
    }
    let _ = slip(&mut Unstructured::new(data));
}

/// The one kind that this text is, if it is any.
fn read(text: &str) -> Option<TokenKind> {
    let read = |kind| Token::parse(kind, text).map(|token| (kind, token));
    let mut found = KINDS.into_iter().filter_map(read);
    let (kind, token) = found.next()?;
    assert!(found.next().is_none(), "it is of two kinds");
    assert_eq!(token.as_str(), text);
    assert!(text.starts_with(kind.prefix()) && text.starts_with(&token.hint()));
    assert!(!format!("{token:?}").contains(&text[4..]), "a log shows it");
    Some(kind)
}

fn slip(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let kind = *input.choose(&KINDS)?;
    let token = Token::derive(kind, input.arbitrary()?);
    let text = token.as_str();
    assert_eq!(read(text), Some(kind), "what is made can be read");

    let (at, typed): (usize, char) = (input.choose_index(text.len())?, input.arbitrary()?);
    let slipped = format!("{}{typed}{}", &text[..at], &text[at + 1..]);
    if slipped != text {
        assert_eq!(read(&slipped), None, "the checksum sees one wrong character");
    }
    let cut = input.choose_index(text.len())?;
    assert_eq!(read(&text[..cut]), None, "a part is no token");
    Ok(())
}
