#![doc = include_str!("../README.md")]

mod builder;
mod bus;
mod classify;
mod cluster;
mod commands;
mod connect;
mod connection;
mod endpoint;
mod frame;
mod handshake;
mod leases;
mod many;
mod node;
mod operation;
mod programs;
pub mod redis;
mod replica_reads;
mod reply;
mod route;
mod scan;
mod script;
mod sentinels;
mod source;
mod step;
mod store;
mod tls;
mod waits;
mod wire;

pub use builder::RedisBuilder;
pub use store::RedisStore;
