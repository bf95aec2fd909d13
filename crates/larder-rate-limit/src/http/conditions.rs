//! Functions of the app that a layer calls with requests and responses.

use std::fmt;
use std::sync::Arc;

use http::response::Parts;
use http::{Method, Uri};

use crate::RequestHead;

/// Returns whether a request passes uncounted, or whether a limit applies to it.
#[derive(Clone)]
pub(super) struct RequestCondition(Arc<dyn Fn(&RequestHead<'_>) -> bool + Send + Sync>);

impl RequestCondition {
    pub(super) fn new(holds: impl Fn(&RequestHead<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(holds))
    }

    pub(super) fn of_target(holds: impl Fn(&Method, &Uri) -> bool + Send + Sync + 'static) -> Self {
        Self::new(move |request| holds(request.method(), request.uri()))
    }

    pub(super) fn holds(&self, request: &RequestHead<'_>) -> bool {
        (self.0)(request)
    }
}

/// Returns how many units a request costs.
#[derive(Clone)]
pub(super) struct CostBy(Arc<dyn Fn(&RequestHead<'_>) -> u32 + Send + Sync>);

impl CostBy {
    pub(super) fn new(cost: impl Fn(&RequestHead<'_>) -> u32 + Send + Sync + 'static) -> Self {
        Self(Arc::new(cost))
    }

    pub(super) fn cost(&self, request: &RequestHead<'_>) -> u32 {
        (self.0)(request)
    }
}

/// Returns whether the charge of a request is refunded, given its response.
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

/// Returns the actual cost of a request, once its response is known.
#[derive(Clone)]
pub(super) struct SettleBy(Arc<Cost>);

type Cost = dyn Fn(&Parts) -> Option<u32> + Send + Sync;

impl SettleBy {
    pub(super) fn new(cost: impl Fn(&Parts) -> Option<u32> + Send + Sync + 'static) -> Self {
        Self(Arc::new(cost))
    }

    pub(super) fn cost(&self, head: &Parts) -> Option<u32> {
        (self.0)(head)
    }
}

macro_rules! opaque {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}
opaque!(RequestCondition CostBy RefundIf SettleBy);
