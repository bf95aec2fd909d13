//! Real servers for tests, which end with the test.
//!
//! [`RedisServer`] is a `redis-server` on a free loopback port and on a Unix socket in a private
//! directory. Its start returns once it answers. A test can freeze, kill and restart it. It ends when
//! the value is dropped, when the test panics, and when the test process is interrupted, aborted or
//! killed.
//!
//! [`RedisCluster`] and [`RedisSentinels`] are several servers that know each other; their start returns
//! once all of them do. [`RedisOptions`] sets passwords, ACL users, TLS and any setting.
//!
//! [`Sandbox`] ends other processes, which a test starts itself, in the same way.
//!
//! All of this is blocking code on `std`: it works in a plain test, in a property test and with tokio's
//! clock paused, where an asynchronous wait would end at once. One server starts in about 30 ms.
//!
//! # Examples
//!
//! ```
//! use larder_test::server::{RedisServer, Reply};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = RedisServer::start()?;
//! assert_eq!(server.command(&["SET", "seat", "A1"])?, Reply::Simple("OK".into()));
//! println!("a client connects to {}", server.url());
//! # Ok(())
//! # }
//! ```

mod acl;
mod cluster;
mod config;
mod connection;
mod error;
mod launch;
mod login;
mod node;
mod options;
mod polling;
mod process;
mod quoted;
mod reaper;
mod redis;
mod resp;
mod sandbox;
mod sentinel;
mod side_by_side;
mod temp_dir;
#[cfg(feature = "tls")]
mod tls;
mod url;

pub use acl::AclUser;
pub use cluster::{ClusterOptions, RedisCluster, SlotMove, slot_of};
pub use connection::Connection;
pub use error::StartError;
pub use node::RedisNode;
pub use options::RedisOptions;
pub use redis::RedisServer;
pub use resp::Reply;
pub use sandbox::Sandbox;
pub use sentinel::{RedisSentinels, SentinelOptions};
#[cfg(feature = "tls")]
pub use tls::{CertificateAuthority, ClientAuth, Identity, TlsOptions};
