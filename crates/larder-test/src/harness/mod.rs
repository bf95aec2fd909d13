//! Runs real servers for tests, and a proxy that breaks the network before them.

mod port;
pub mod proxy;
#[cfg(unix)]
pub mod server;
