//! Files that are sent to clients.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, TryStreamExt, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use usher_shared::foundation::{
    crypto::hex,
    entity::stored_file,
    file_store::{FileError, FileStore},
};

use super::{
    etag::IfNoneMatch,
    operation::{Describe, OperationDoc},
};

/// 200 with the bytes of a file, to be saved under its name; 304 where the client has them. Browsers don't show it on
/// the API's own address, whatever it holds: it comes from somebody else.
pub struct Download {
    file: stored_file::Model,
    /// None where the client has the file.
    body: Option<Body>,
}

impl Download {
    /// A file of the store. Check before whether the caller may read it.
    ///
    /// # Errors
    ///
    /// Those of the store, if the file isn't there.
    pub async fn open(files: &FileStore, file: stored_file::Model, known: &IfNoneMatch) -> Result<Self, FileError> {
        if known.has(&tag(&file)) {
            return Ok(Self { file, body: None });
        }
        // Before the answer begins: what is missing must not look like a file that breaks off.
        let mut chunks = files.read(&file);
        let first = chunks.try_next().await?;
        let body = Body::from_stream(stream::iter(first.map(Ok)).chain(chunks));
        let body = Some(body);
        Ok(Self { file, body })
    }
}

/// The content's own, so that it never changes.
fn tag(file: &stored_file::Model) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{}\"", hex(&file.sha256))).expect("digits in quotes are a header value")
}

/// What stands in `filename*` as it is (RFC 8187 §3.2.1).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// RFC 6266 §4.3: old clients read the first, which has no character that needs quoting.
fn disposition(name: &str) -> Option<HeaderValue> {
    let ascii: String = name
        .chars()
        .map(|char| {
            if char.is_ascii_alphanumeric() || "-._ ".contains(char) {
                char
            } else {
                '_'
            }
        })
        .collect();
    let encoded = utf8_percent_encode(name, PLAIN);
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
        .parse()
        .ok()
}

impl IntoResponse for Download {
    fn into_response(self) -> Response {
        let caching = [
            (header::ETAG, tag(&self.file)),
            (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
            (header::VARY, header::AUTHORIZATION.into()),
        ];
        let Some(content) = self.body else {
            return (StatusCode::NOT_MODIFIED, caching).into_response();
        };
        let kind = &self.file.media_type;
        // All of a text was checked to be UTF-8.
        let charset = if kind.starts_with("text/") {
            "; charset=utf-8"
        } else {
            ""
        };
        let kind = HeaderValue::from_str(&format!("{kind}{charset}"));
        let body = [
            (
                header::CONTENT_TYPE,
                kind.unwrap_or(HeaderValue::from_static("application/octet-stream")),
            ),
            (header::CONTENT_LENGTH, HeaderValue::from(self.file.size)),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (
                header::CONTENT_SECURITY_POLICY,
                HeaderValue::from_static("default-src 'none'; sandbox"),
            ),
        ];
        let name = disposition(&self.file.name).map(|name| [(header::CONTENT_DISPOSITION, name)]);
        (caching, body, name, content).into_response()
    }
}

impl Describe for Download {
    fn describe(operation: &mut OperationDoc) {
        operation.file_answer("The file");
        operation.header(StatusCode::OK, "ETag", "The content of the file");
        operation.header(StatusCode::OK, "Content-Disposition", "Its name");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_header() {
        for (name, expected) in [
            (
                "plan.pdf",
                "attachment; filename=\"plan.pdf\"; filename*=UTF-8''plan.pdf",
            ),
            (
                "a\"; x=\"b",
                "attachment; filename=\"a__ x__b\"; filename*=UTF-8''a%22%3B%20x%3D%22b",
            ),
            (
                "Öl €.png",
                "attachment; filename=\"_l _.png\"; filename*=UTF-8''%C3%96l%20%E2%82%AC.png",
            ),
        ] {
            assert_eq!(disposition(name).expect("a header"), expected);
        }
    }
}
