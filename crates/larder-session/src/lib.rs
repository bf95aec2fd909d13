#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_debug_implementations)]

#[cfg(feature = "axum")]
mod axum;
mod cookie;
mod end_reason;
mod error;
mod event;
mod everyone_record;
mod http;
mod lifetime;
mod metrics;
mod on_failure;
mod sealing;
mod session;
mod session_key;
mod session_record;
mod session_value;
mod sessions;
mod sign_in_options;
mod site_data;
mod token;
mod user;
mod user_record;
mod value;

#[cfg(feature = "axum")]
pub use axum::{MissingLayer, RequireUser};
pub use cookie::{CookieExpiry, SameSite, SessionCookie, SessionCookieBuilder};
pub use end_reason::EndReason;
pub use error::{Result, SessionError, SessionErrorKind};
pub use event::{SessionEvent, SessionEventKind, SessionHash};
pub use everyone_record::{EveryoneRecord, InspectEveryone};
pub use http::{
    RequireUserLayer, RequireUserService, ResponseBody, ReturnPath, SessionFuture, SessionLayer,
    SessionService, SignInPage,
};
#[cfg(feature = "seal")]
pub use larder_layer::SealingKeys;
pub use lifetime::Lifetime;
pub use metrics::describe_metrics;
pub use on_failure::OnFailure;
#[cfg(feature = "seal")]
pub use sealing::PlaintextValues;
pub use session::{Authentication, Flash, FlashLevel, Session};
pub use session_key::SessionKey;
pub use session_record::{InspectSession, SessionRecord};
pub use session_value::SessionValue;
pub use sessions::{Device, DeviceLimit, Sessions};
pub use sign_in_options::SignInOptions;
pub use site_data::SiteData;
pub use token::DeviceId;
pub use user::UserId;
pub use user_record::{InspectUser, UserRecord};

#[cfg(test)]
mod traces;
