#![doc = include_str!("../README.md")]

#[cfg(feature = "axum")]
mod axum;
mod cookie;
mod error;
mod http;
mod identity;
mod lifetime;
mod meter;
mod on_failure;
mod owner;
mod record;
mod session;
mod sessions;
mod token;
mod user;
mod value;

#[cfg(feature = "axum")]
pub use axum::{MissingLayer, RequireUser};
pub use cookie::{SameSite, SessionCookie};
pub use error::{Error, ErrorKind, Result};
pub use http::{ResponseBody, ResponseFuture, SessionLayer, SessionService};
pub use lifetime::Lifetime;
pub use on_failure::OnFailure;
pub use owner::{InspectOwner, OwnerRecord};
pub use record::{InspectSession, SessionRecord};
pub use session::{Session, SessionKey};
pub use sessions::{Device, Sessions};
pub use token::DeviceId;
pub use user::UserId;

#[cfg(test)]
mod traces;
