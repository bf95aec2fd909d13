//! Functions of the application that exempt a request, or give its charge back.

use std::fmt;
use std::sync::Arc;

use http::response::Parts;
use http::{Method, Request, Uri};

/// Returns whether a request passes uncounted.
#[derive(Clone)]
pub(super) struct ExemptIf(Arc<Exempt>);

type Exempt = dyn Fn(&Method, &Uri) -> bool + Send + Sync;

impl ExemptIf {
    pub(super) fn new(exempt: impl Fn(&Method, &Uri) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(exempt))
    }

    pub(super) fn holds<B>(&self, request: &Request<B>) -> bool {
        (self.0)(request.method(), requested(request))
    }
}

/// Returns the URI that the client asked for, also where a router has taken a prefix off its path.
fn requested<B>(request: &Request<B>) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(axum::extract::OriginalUri(original)) = request.extensions().get() {
        return original;
    }
    request.uri()
}

impl fmt::Debug for ExemptIf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExemptIf(..)")
    }
}

/// Returns whether a response gives the charge of its request back.
#[derive(Clone)]
pub(super) struct RefundIf(Arc<dyn Fn(&Parts) -> bool + Send + Sync>);

impl RefundIf {
    pub(super) fn new(refund: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(refund))
    }

    pub(super) fn holds(&self, head: &Parts) -> bool {
        (self.0)(head)
    }
}

impl fmt::Debug for RefundIf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefundIf(..)")
    }
}
