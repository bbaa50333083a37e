//! What a file is, by its first bytes: what a sender calls it proves nothing.

/// Bytes that are looked at. Office documents show what they are within these.
pub(super) const HEAD: usize = 8 * 1024;

/// What a file was recognized as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileType {
    pub(super) media_type: &'static str,
    /// Whether all of it must be text in UTF-8.
    pub(super) is_text: bool,
}

/// The type of a file that begins with these bytes, if it is one of the allowed; otherwise what it is instead. Texts
/// have no mark of their own: they are what the sender declares, if it is an allowed kind of text.
pub(super) fn recognize(
    head: &[u8],
    declared: Option<&str>,
    allowed: &'static [&'static str],
) -> Result<FileType, Option<&'static str>> {
    let named = |name: &str| allowed.iter().find(|allowed| allowed.eq_ignore_ascii_case(name));
    let text = declared.filter(|declared| is_text(declared)).and_then(named);
    let text = text.map(|media_type| FileType {
        media_type,
        is_text: true,
    });
    let found = infer::get(head).map(|found| found.mime_type());
    let found = found.filter(|found| !is_text(found));
    match (text, found) {
        // Some marks are two letters, which can begin a text as well.
        (Some(text), Some(_)) if Utf8::default().continues(head) => Ok(text),
        (Some(text), None) => Ok(text),
        (_, Some(found)) => match named(found) {
            Some(media_type) => Ok(FileType {
                media_type,
                is_text: false,
            }),
            None => Err(Some(found)),
        },
        (None, None) => Err(None),
    }
}

fn is_text(media_type: &str) -> bool {
    let media_type = media_type.to_ascii_lowercase();
    media_type.starts_with("text/")
        || ["+json", "+xml"].iter().any(|suffix| media_type.ends_with(suffix))
        || ["application/json", "application/xml"].contains(&media_type.as_str())
}

/// Checks text that comes in pieces. A character may be split between two of them.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    /// The beginning of a character whose end is to come: at most three bytes.
    open: Vec<u8>,
}

impl Utf8 {
    /// Whether this may follow; NUL is no text.
    pub(super) fn continues(&mut self, piece: &[u8]) -> bool {
        let mut joined = std::mem::take(&mut self.open);
        let piece = if joined.is_empty() {
            piece
        } else {
            joined.extend_from_slice(piece);
            &joined
        };
        match std::str::from_utf8(piece) {
            Ok(_) => !piece.contains(&0),
            Err(error) if error.error_len().is_some() => false,
            Err(error) => {
                let (whole, open) = piece.split_at(error.valid_up_to());
                self.open = open.to_vec();
                !whole.contains(&0)
            }
        }
    }

    /// Whether no character is left open.
    pub(super) const fn is_whole(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const ALLOWED: &[&str] = &["image/png", "text/plain"];

    #[test]
    fn bytes_decide_and_not_what_the_sender_says() {
        let png = FileType {
            media_type: "image/png",
            is_text: false,
        };
        let text = FileType {
            media_type: "text/plain",
            is_text: true,
        };
        for (head, declared, expected) in [
            (PNG, None, Ok(png)),
            (PNG, Some("text/plain"), Ok(png)),
            (b"%PDF-1.7".as_slice(), Some("image/png"), Err(Some("application/pdf"))),
            (b"hello", Some("text/plain"), Ok(text)),
            (b"hello", Some("TEXT/Plain"), Ok(text)),
            (b"hello", Some("image/png"), Err(None)),
            (b"hello", None, Err(None)),
            (b"BMW service notes", Some("text/plain"), Ok(text)),
            (b"<html><body>hello", Some("text/html"), Err(None)),
            (b"<html><body>hello", Some("text/plain"), Ok(text)),
        ] {
            assert_eq!(recognize(head, declared, ALLOWED), expected, "{declared:?}");
        }
    }

    #[test]
    fn text_is_checked_across_pieces() {
        let euro = "a€b".as_bytes();
        for at in 0..=euro.len() {
            let mut text = Utf8::default();
            let (one, two) = euro.split_at(at);
            assert!(text.continues(one) && text.continues(two) && text.is_whole(), "{at}");
        }
        let mut text = Utf8::default();
        assert!(text.continues(&euro[..2]) && !text.is_whole());
        assert!(!text.continues(b"b"));
        assert!(!Utf8::default().continues(b"a\0b"));
        assert!(!Utf8::default().continues(b"\xff\xfe"));
    }
}
