#![doc = include_str!("../README.md")]

#[cfg(feature = "axum")]
mod axum;
mod cookie;
mod error;
mod http;
mod identity;
mod lifetime;
mod metrics;
mod on_failure;
mod record;
mod session;
mod session_key;
mod sessions;
mod sign_in_options;
mod token;
mod user;
mod users;
mod value;

#[cfg(feature = "axum")]
pub use axum::{MissingLayer, RequireUser, SignInPage};
pub use cookie::{CookieExpiry, SameSite, SessionCookie, SessionCookieBuilder};
pub use error::{Result, SessionError, SessionErrorKind};
pub use http::{ResponseBody, ResponseFuture, ReturnPath, SessionLayer, SessionService};
pub use lifetime::Lifetime;
pub use on_failure::OnFailure;
pub use record::{InspectSession, SessionRecord};
pub use session::Session;
pub use session_key::SessionKey;
pub use sessions::{Device, Sessions};
pub use sign_in_options::SignInOptions;
pub use token::DeviceId;
pub use user::UserId;
pub use users::{InspectUser, UserRecord};

#[cfg(test)]
mod traces;
