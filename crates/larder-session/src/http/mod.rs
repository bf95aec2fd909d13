//! The tower layer: sessions in front of a service.

mod future;
mod headers;
mod layer;
mod problem;
mod return_path;
mod service;

pub use future::SessionFuture;
pub use larder_layer::http::ResponseBody;
pub use layer::SessionLayer;
#[cfg(feature = "axum")]
pub(crate) use problem::problem;
pub use return_path::ReturnPath;
pub use service::SessionService;
