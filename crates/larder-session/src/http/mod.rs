//! The tower layer: sessions in front of a service.

mod future;
mod headers;
mod layer;
mod problem;
mod require_user;
mod return_path;
mod service;
mod set_cookie;
mod sign_in_page;

pub use future::SessionFuture;
pub use larder_layer::http::ResponseBody;
pub use layer::SessionLayer;
#[cfg(feature = "axum")]
pub(crate) use problem::problem;
pub use require_user::{RequireUserLayer, RequireUserService};
pub use return_path::ReturnPath;
pub use service::SessionService;
pub use sign_in_page::SignInPage;
