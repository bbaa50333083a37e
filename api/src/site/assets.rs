//! Files for browsers, from the binary. Their addresses hold their hash, so that browsers may keep them for ever.

use std::{io::Read, sync::LazyLock};

use axum::{
    body::Bytes,
    extract::{Path, Query, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use flate2::read::GzDecoder;
use serde::Deserialize;
use usher_serve::accepts;
use usher_shared::foundation::crypto::sha256;

use crate::toolkit::{code::Code, error::ApiError, etag::is_known};

/// One file.
struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: Bytes,
    /// Whether `bytes` are compressed already.
    gzip: bool,
    /// The first 8 bytes of the SHA-256, in hex.
    hash: String,
}

impl Asset {
    fn new(name: &'static str, content_type: &'static str, bytes: &'static [u8]) -> Self {
        let hash = sha256(bytes)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            name,
            content_type,
            bytes: Bytes::from_static(bytes),
            gzip: bytes.starts_with(&GZIP),
            hash,
        }
    }
}

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
/// How compressed files begin (RFC 1952 §2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

static ASSETS: LazyLock<[Asset; 13]> = LazyLock::new(|| {
    [
        Asset::new("pages.css", CSS, include_bytes!("../../assets/pages.css")),
        Asset::new("documents.css", CSS, include_bytes!("../../assets/documents.css")),
        Asset::new("documents.js", JS, include_bytes!("../../assets/documents.js")),
        Asset::new("icon.svg", SVG, include_bytes!("../../assets/icon.svg")),
        Asset::new("swagger-ui.css", CSS, include_bytes!("../../assets/swagger-ui.css.gz")),
        Asset::new(
            "swagger-ui-bundle.js",
            JS,
            include_bytes!("../../assets/swagger-ui-bundle.js.gz"),
        ),
        Asset::new(
            "redoc.standalone.js",
            JS,
            include_bytes!("../../assets/redoc.standalone.js.gz"),
        ),
        Asset::new("graphiql.css", CSS, include_bytes!("../../assets/graphiql.css")),
        Asset::new("graphiql.js", JS, include_bytes!("../../assets/graphiql.js")),
        Asset::new(
            "graphiql.min.css",
            CSS,
            include_bytes!("../../assets/graphiql.min.css.gz"),
        ),
        Asset::new("graphiql.min.js", JS, include_bytes!("../../assets/graphiql.min.js.gz")),
        Asset::new(
            "react.js",
            JS,
            include_bytes!("../../assets/react.production.min.js.gz"),
        ),
        Asset::new(
            "react-dom.js",
            JS,
            include_bytes!("../../assets/react-dom.production.min.js.gz"),
        ),
    ]
});

/// The address of a file, under the API's root.
pub(crate) fn address(root: &str, name: &str) -> String {
    let hash = ASSETS
        .iter()
        .find(|asset| asset.name == name)
        .map_or("", |asset| &asset.hash);
    format!("{root}/assets/{name}?v={hash}")
}

#[derive(Deserialize)]
pub(crate) struct Version {
    v: Option<String>,
}

pub(crate) async fn show(
    Path(name): Path<String>,
    version: Result<Query<Version>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let asset = ASSETS.iter().find(|asset| asset.name == name).ok_or(Code::NOT_FOUND)?;
    let is_this_version = version.is_ok_and(|Query(version)| version.v.as_ref() == Some(&asset.hash));
    let caching = if is_this_version {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let mut response = file(&headers, asset.content_type, &asset.hash, &asset.bytes, asset.gzip);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    Ok(response)
}

/// Browsers that look for an icon find it here, too.
pub(crate) async fn favicon(headers: HeaderMap) -> Result<Response, ApiError> {
    show(Path("icon.svg".to_owned()), Ok(Query(Version { v: None })), headers).await
}

/// An answer whose bytes are known beforehand: with a strong ETag, and compressed when they are and the client can.
pub(crate) fn file(headers: &HeaderMap, content_type: &'static str, hash: &str, bytes: &Bytes, gzip: bool) -> Response {
    let packed = gzip && accepts(headers, "gzip");
    // The two encodings are two representations, so their tags differ (RFC 9110 §8.8.3.3).
    let suffix = if packed { "-gzip" } else { "" };
    let Ok(tag) = HeaderValue::from_str(&format!("\"{hash}{suffix}\"")) else {
        return ApiError::Internal(anyhow::anyhow!("the hash is no header value")).into_response();
    };
    let known = is_known(headers, &tag);
    let mut response = match (known, gzip, packed) {
        (true, ..) => StatusCode::NOT_MODIFIED.into_response(),
        (_, true, false) => unpack(bytes).into_response(),
        _ => bytes.clone().into_response(),
    };
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    out.insert(header::VARY, header::ACCEPT_ENCODING.into());
    out.insert(header::ETAG, tag);
    if packed {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// For the rare client that takes no gzip.
fn unpack(bytes: &[u8]) -> Result<Vec<u8>, ApiError> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes)
        .read_to_end(&mut plain)
        .map_err(anyhow::Error::from)?;
    Ok(plain)
}
