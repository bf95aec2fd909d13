//! Refuses what another site makes a visitor's browser send.

use axum::body::Body;
use axum::http::Response;
use axum::response::IntoResponse;
use tower_http::csrf::{ConfigError, CsrfLayer, ProtectionError};

use crate::config::PublicUrl;
use crate::errors::Problem;

/// What makes the answer to who is refused.
pub(crate) type Refuse = fn(ProtectionError) -> Response<Body>;

/// The rules of tower-http's layer, with a page for those who are refused.
///
/// It relies on what browsers send and pages cannot set: `Sec-Fetch-Site`, and where there is none,
/// `Origin`, which has to be the host that was asked for or the one of `PUBLIC_URL`. So a proxy must
/// hand both on, and `PUBLIC_URL` is needed where it rewrites `Host`. Who sends neither is no browser,
/// has no visitor's cookies, and is let in. `GET` and `HEAD` change nothing here, and always pass.
pub(crate) fn layer(public_url: Option<&PublicUrl>) -> Result<CsrfLayer<Refuse>, ConfigError> {
    let mut layer = CsrfLayer::new();
    if let Some(url) = public_url {
        layer = layer.add_trusted_origin(url.origin())?;
    }
    Ok(layer.with_rejection_response(refused as Refuse))
}

fn refused(_: ProtectionError) -> Response<Body> {
    Problem::forbidden(
        "This form was sent from another site, so nothing was done. If it was you, please open the \
         page here, and send it again.",
    )
    .into_response()
}
