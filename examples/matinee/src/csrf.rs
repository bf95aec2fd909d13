//! Refuses what another site makes a visitor's browser send.

use axum::body::Body;
use axum::http::Response;
use axum::response::IntoResponse;
use tower_http::csrf::{CsrfLayer, ProtectionError};

use crate::errors::Problem;

/// The rules of tower-http's layer, with a page for those who are refused.
pub(crate) fn layer() -> CsrfLayer<fn(ProtectionError) -> Response<Body>> {
    CsrfLayer::new().with_rejection_response(refused as fn(ProtectionError) -> Response<Body>)
}

fn refused(_: ProtectionError) -> Response<Body> {
    Problem::forbidden(
        "This was sent from another site, so it was not done. Please open the page here and try again.",
    )
    .into_response()
}
