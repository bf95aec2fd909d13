//! Runs real servers for tests, and a proxy in front of them that breaks the network.

mod port;
pub mod proxy;
#[cfg(unix)]
pub mod server;
