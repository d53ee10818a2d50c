//! The dashboard, embedded at build time: the bridge is one file, and the page always fits it.

/// A file of the dashboard.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its path in a URL.
    pub path: &'static str,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
}

macro_rules! asset {
    ($path:literal, $file:literal, $content_type:literal) => {
        Asset {
            path: $path,
            content_type: $content_type,
            bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../dashboard/dist/", $file)),
        }
    };
}

/// All of it.
pub const ASSETS: [Asset; 4] = [
    asset!("/", "index.html", "text/html; charset=utf-8"),
    asset!("/assets/app.js", "assets/app.js", "text/javascript; charset=utf-8"),
    asset!("/assets/app.css", "assets/app.css", "text/css; charset=utf-8"),
    asset!("/assets/favicon.svg", "assets/favicon.svg", "image/svg+xml"),
];
