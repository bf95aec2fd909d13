#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_debug_implementations)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

#[cfg(feature = "calendar")]
mod calendar;
mod check;
mod clock;
mod counting;
mod decision;
mod desk;
mod fail_mode;
mod gcra;
mod give_back;
mod headers;
mod hold;
mod http;
mod key;
mod limiter;
mod limits;
mod metrics;
mod plan;
mod plans;
mod policy;
mod program;
mod quota;
mod ready;
mod report;
mod rule;
mod shared;
mod usage;
mod visitor_id;
mod window;

pub use crate::http::{
    AccessLists, Limit, RateLimit, RateLimitFuture, RateLimitLayer, RefusalMemory, Settlement,
    Unkeyed,
};
#[cfg(feature = "calendar")]
pub use calendar::Calendar;
pub use decision::{Decision, Reason};
pub use fail_mode::{FailMode, LocalStore};
pub use gcra::Gcra;
pub use headers::{Headers, LegacyReset};
pub use hold::{Grant, Permit, Reservation};
pub use key::{
    ClientAddress, FindKey, FindPeer, KeyBy, NamedVisitor, Network, NetworkList, PeerAddr,
    PrefixLengths, ProxyNets, RequestHead, TrustedProxies,
};
pub use larder_layer::http::ResponseBody;
pub use larder_store::Identity;
pub use limiter::RateLimiter;
pub use limits::{Decisions, Limits};
pub use metrics::describe_metrics;
pub use plans::Plans;
pub use policy::{Ban, Policy, QuotaChange};
pub use program::{InspectTat, Peek, Refund, Tat};
pub use quota::Quota;
pub use report::Report;
pub use rule::{Algorithm, Rule};
pub use usage::{InspectUsage, Usage};
pub use window::Window;
