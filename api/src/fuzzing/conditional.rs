//! Headers of conditions, repetitions and credentials: lists of tags are read as RFC 9110 writes them, and a key is
//! kept as it came or refused.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::toolkit::{caller, etag, idempotency};

/// The value of a header, as each of them.
pub fn conditional(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else {
        return;
    };
    let headers = |name: header::HeaderName| HeaderMap::from_iter([(name, value.clone())]);
    if let Ok(list) = value.to_str() {
        tags(list, &headers(header::IF_MATCH));
    }
    let tag = etag::etag(1);
    let known = etag::is_known(&headers(header::IF_NONE_MATCH), &tag);
    assert!(!known || data.contains(&b'*') || data.windows(3).any(|part| part == b"\"1\""));

    if let Ok(key) = idempotency::key_of(&headers(header::HeaderName::from_static("idempotency-key"))) {
        assert_eq!(key.as_bytes(), data);
        assert!((1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()));
    }
    if let Ok(token) = caller::bearer(&headers(header::AUTHORIZATION)) {
        let token = token.expect("a credential");
        assert!(data.to_ascii_lowercase().trim_ascii().starts_with(b"bearer "));
        assert_eq!(token, token.trim());
    }
}

fn tags(list: &str, headers: &HeaderMap) {
    let read = etag::tags(list);
    for version in [0, 1, 42] {
        let tag = etag::etag(version);
        let met = etag::may_change(headers, &tag).is_ok();
        let named = read
            .as_ref()
            .is_some_and(|tags| tags.contains(&tag.to_str().expect("text")));
        assert_eq!(
            met,
            named || read.as_deref() == Some(&["*"]),
            "{list:?} against {tag:?}"
        );
    }
    let Some(tags) = read else { return };
    for tag in &tags {
        let opaque = tag.strip_prefix("W/").unwrap_or(tag);
        let inside = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let is_etagc = |byte: u8| byte == 0x21 || (0x23..=0x7e).contains(&byte);
        let is_good = inside.is_some_and(|inside| inside.bytes().all(is_etagc));
        assert!(is_good || *tag == "*", "RFC 9110 §8.8.3: {tag:?} of {list:?}");
    }
    assert_eq!(etag::tags(&tags.join(", ")), Some(tags), "{list:?}");
}
