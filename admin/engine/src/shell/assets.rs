//! Style sheet, script and icon, and those that apps add, in the binary. Their names contain a hash of their contents,
//! so browsers may cache them forever. They are compressed once.

use std::{
    io::Write,
    sync::{Arc, LazyLock},
};

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::GzEncoder};
use usher_serve::accepts;
use usher_shared::foundation::crypto::{hex, sha256};

#[derive(Debug)]
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
    let file = hashed(name, plain);
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

/// The name with a hash of the contents: `admin.0a1b2c3d4e5f.css`.
fn hashed(name: &str, contents: &[u8]) -> String {
    let hash = hex(&sha256(contents)[..6]);
    match name.rsplit_once('.') {
        Some((stem, ending)) => format!("{stem}.{hash}.{ending}"),
        None => format!("{name}.{hash}"),
    }
}

/// A file of an app.
#[derive(Clone, Debug)]
pub(crate) struct AppAsset(Arc<Asset>);

impl AppAsset {
    pub(crate) fn new(name: &'static str, content_type: &'static str, bytes: &'static [u8]) -> Self {
        Self(Arc::new(asset(name, content_type, bytes)))
    }

    pub(crate) fn stylesheet(css: &'static str) -> Self {
        Self::new("app.css", "text/css; charset=utf-8", css.as_bytes())
    }

    pub(crate) fn script(js: &'static str) -> Self {
        Self::new("app.js", "text/javascript; charset=utf-8", js.as_bytes())
    }

    pub(super) fn href(&self, base: &str) -> String {
        format!("{base}/assets/{}", self.0.file)
    }
}

/// The address of an asset by its plain name.
pub(super) fn href(base: &str, name: &str) -> String {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    asset.map_or_else(String::new, |asset| format!("{base}/assets/{}", asset.file))
}

/// The address of an asset, and of those that apps add to it.
pub(super) fn all(base: &str, name: &str, of_apps: &[AppAsset]) -> Vec<String> {
    let of_apps = of_apps.iter().map(|asset| asset.href(base));
    std::iter::once(href(base, name)).chain(of_apps).collect()
}

/// The file of this name, among those of apps as well.
pub(crate) fn serve<'a>(file: &str, of_apps: impl Iterator<Item = &'a AppAsset>, headers: &HeaderMap) -> Response {
    let of_apps = of_apps.map(|asset| asset.0.as_ref());
    let Some(asset) = ASSETS.iter().chain(of_apps).find(|asset| asset.file == file) else {
        return (StatusCode::NOT_FOUND, "File not found. Reload the page.\n").into_response();
    };
    let kept = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::VARY, "accept-encoding"),
    ];
    if accepts(headers, "gzip") && !asset.gzip.is_empty() {
        return (kept, [(header::CONTENT_ENCODING, "gzip")], asset.gzip.clone()).into_response();
    }
    (kept, asset.plain).into_response()
}
