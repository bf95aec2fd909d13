//! The session in front of a service.

mod body;
mod future;
mod headers;
mod layer;
mod problem;
mod return_path;
mod service;

pub use body::ResponseBody;
pub use future::ResponseFuture;
pub use layer::SessionLayer;
#[cfg(feature = "axum")]
pub(crate) use problem::problem;
pub use return_path::ReturnPath;
pub use service::SessionService;

use crate::cookie::Cookie;
use crate::{OnFailure, Sessions};

/// What the requests of one layer share.
pub(crate) struct Shared {
    pub(crate) sessions: Sessions,
    pub(crate) cookie: Cookie,
    pub(crate) on_failure: OnFailure,
}
