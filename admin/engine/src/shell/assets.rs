//! Style sheet, script and icon, in the binary. Their names contain a hash of their contents, so browsers may cache
//! them forever. They are compressed once.

use std::{io::Write, sync::LazyLock};

use axum::{
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::GzEncoder};
use usher_serve::accepts;
use usher_shared::foundation::crypto::{hex, sha256};

struct Asset {
    name: &'static str,
    content_type: &'static str,
    plain: &'static [u8],
    gzip: Vec<u8>,
    file: String,
}

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        asset(
            "admin.css",
            "text/css; charset=utf-8",
            include_bytes!("../../assets/admin.css"),
        ),
        asset(
            "admin.js",
            "text/javascript; charset=utf-8",
            include_bytes!("../../assets/admin.js"),
        ),
        asset("icon.svg", "image/svg+xml", include_bytes!("../../assets/icon.svg")),
    ]
});

fn asset(name: &'static str, content_type: &'static str, plain: &'static [u8]) -> Asset {
    let hash = hex(&sha256(plain)[..6]);
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let file = format!("{stem}.{hash}.{ending}");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let gzip = encoder
        .write_all(plain)
        .and_then(|()| encoder.finish())
        .unwrap_or_default();
    Asset {
        name,
        content_type,
        plain,
        gzip,
        file,
    }
}

/// The address of an asset by its plain name.
pub(super) fn href(base: &str, name: &str) -> String {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    asset.map_or_else(String::new, |asset| format!("{base}/assets/{}", asset.file))
}

/// `GET {base}/assets/{file}`
pub async fn serve_asset(Path(file): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.file == file) else {
        return (StatusCode::NOT_FOUND, "File not found. Reload the page.\n").into_response();
    };
    let kept = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::VARY, "accept-encoding"),
    ];
    if accepts(&headers, "gzip") && !asset.gzip.is_empty() {
        return (kept, [(header::CONTENT_ENCODING, "gzip")], asset.gzip.clone()).into_response();
    }
    (kept, asset.plain).into_response()
}
