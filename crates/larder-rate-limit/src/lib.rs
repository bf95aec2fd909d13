#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod decision;
mod fail_mode;
mod gcra;
mod http;
mod key;
mod limiter;
mod metrics;
mod program;
mod quota;

pub use crate::http::{Headers, RateLimit, RateLimitFuture, RateLimitLayer, Settlement, Unkeyed};
pub use decision::Decision;
pub use fail_mode::{FailMode, LocalStore};
pub use gcra::Gcra;
pub use key::{FindKey, FindPeer, KeyBy, Network, PeerAddr, ProxyNets, TrustedProxies};
pub use larder_layer::http::ResponseBody;
pub use larder_store::Identity;
pub use limiter::RateLimiter;
pub use metrics::describe_metrics;
pub use program::{InspectTat, Peek, Refund, Tat};
pub use quota::Quota;
