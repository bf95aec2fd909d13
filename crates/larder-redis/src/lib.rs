#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_debug_implementations)]

mod admin;
mod agreement;
mod batches;
mod builder;
mod bus;
mod classify;
mod cluster;
mod commands;
mod connect;
mod connection;
mod endpoint;
mod features;
mod handshake;
mod leases;
mod metrics;
mod node;
mod operation;
mod program_step;
mod programs;
pub mod redis;
mod replica_reads;
mod reply;
mod route;
mod scan;
mod script;
mod script_answer;
mod sentinels;
mod source;
mod store;
mod tls;
mod value_format;
mod waits;

pub use admin::{Admin, AdminServer, SentinelStatus};
pub use builder::RedisStoreBuilder;
pub use metrics::describe_metrics;
pub use store::RedisStore;
