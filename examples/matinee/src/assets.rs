//! The stylesheet, the icon and the script, compiled in. Their names contain a hash of the content, so browsers
//! may keep them for ever and still get new versions at once.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::errors::Problem;

static STYLESHEET: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "matinee",
        "css",
        "text/css",
        include_str!("../assets/matinee.css"),
    )
});
/// Keeps the seats of an open page up to date. Every page works without it.
static SEATS: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "seats",
        "js",
        "text/javascript",
        include_str!("../assets/seats.js"),
    )
});
static ICON: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "icon",
        "svg",
        "image/svg+xml",
        include_str!("../assets/icon.svg"),
    )
});

struct Asset {
    name: String,
    path: String,
    content_type: String,
    body: &'static str,
}

impl Asset {
    fn new(stem: &str, extension: &str, mime: &str, body: &'static str) -> Self {
        let name = format!("{stem}-{:016x}.{extension}", fnv1a(body.as_bytes()));
        let path = format!("/assets/{name}");
        Self {
            name,
            path,
            content_type: format!("{mime}; charset=utf-8"),
            body,
        }
    }
}

pub(crate) fn stylesheet_path() -> &'static str {
    &STYLESHEET.path
}

pub(crate) fn seats_script_path() -> &'static str {
    &SEATS.path
}

pub(crate) fn icon_path() -> &'static str {
    &ICON.path
}

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/assets/{name}", get(asset))
        .route("/favicon.ico", get(icon))
}

async fn asset(Path(name): Path<String>) -> Response {
    match [&*STYLESHEET, &*ICON, &*SEATS]
        .into_iter()
        .find(|asset| asset.name == name)
    {
        Some(asset) => send(asset, "public, max-age=31536000, immutable"),
        None => Problem::not_found("There is no such file.").into_response(),
    }
}

/// Browsers request this name on their own.
async fn icon() -> Response {
    send(&ICON, "public, max-age=86400")
}

fn send(asset: &'static Asset, cache: &'static str) -> Response {
    (
        [
            (CONTENT_TYPE, asset.content_type.as_str()),
            (CACHE_CONTROL, cache),
        ],
        asset.body,
    )
        .into_response()
}

/// FNV-1a: enough to tell one build's file from the next; it guards nothing.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
