//! Refuses forms that another site made the visitor's browser send.

use axum::body::Body;
use axum::http::Response;
use axum::response::IntoResponse;
use tower_http::csrf::{ConfigError, CsrfLayer, ProtectionError};

use crate::config::PublicUrl;
use crate::errors::Problem;

/// Builds the response to a refused request.
pub(crate) type Refuse = fn(ProtectionError) -> Response<Body>;

/// Builds tower-http's layer, with a page as its refusal.
///
/// It relies on headers that browsers send and pages cannot set: `Sec-Fetch-Site`, and if that is missing,
/// `Origin`, which must be the requested host or that of `PUBLIC_URL`. So a proxy must forward both, and
/// `PUBLIC_URL` is needed if the proxy rewrites `Host`. A client that sends neither is not a browser and
/// has no visitor's cookies, so it may pass. `GET` and `HEAD` change nothing here and always pass.
pub(crate) fn layer(public_url: Option<&PublicUrl>) -> Result<CsrfLayer<Refuse>, ConfigError> {
    let mut layer = CsrfLayer::new();
    if let Some(url) = public_url {
        layer = layer.add_trusted_origin(url.origin())?;
    }
    Ok(layer.with_rejection_response(refused as Refuse))
}

fn refused(_: ProtectionError) -> Response<Body> {
    Problem::forbidden(
        "This form was sent from another site, so nothing was changed. If it was you, please open the \
         page on this site and send it again.",
    )
    .into_response()
}
