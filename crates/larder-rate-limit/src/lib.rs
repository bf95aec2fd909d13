#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod charge;
mod conditions;
mod decision;
mod future;
mod gcra;
mod headers;
mod key;
mod layer;
mod limiter;
mod meter;
mod on_failure;
mod policy;
mod program;
mod quota;
mod response;
mod service;
mod settlement;
mod shared;

pub use body::ResponseBody;
pub use decision::Decision;
pub use future::ResponseFuture;
pub use gcra::Gcra;
pub use headers::Headers;
pub use key::{FindKey, FindPeer, KeyBy, Network, PeerAddr, ProxyNets, TrustedProxies};
pub use larder_store::Identity;
pub use layer::{RateLimitLayer, Unkeyed};
pub use limiter::RateLimiter;
pub use on_failure::{LocalStore, OnFailure};
pub use program::{InspectTat, Peek, Refund, Tat};
pub use quota::Quota;
pub use service::RateLimit;
pub use settlement::Settlement;
