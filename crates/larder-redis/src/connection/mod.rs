//! A connection to a server, with its health and its end.
//!
//! - [`Connection`] is one multiplexed connection and its [`Health`].
//! - [`dial`] makes one, over a [`Socket`](socket::Socket) that reports its own end.
//! - [`ClientHandle`](client_handle::ClientHandle) is what `CLIENT KILL` needs to remove it.
//! - [`ConnectError`] says why there is none.

mod address;
mod client_handle;
mod dial;
mod error;
mod health;
mod multiplexed;
mod socket;

pub(crate) use address::{Address, HostPort};
pub(crate) use dial::{certificate_end, dial};
pub(crate) use error::{ConnectError, Denial, MAY_NOT_GREET};
pub(crate) use health::{Health, HealthState};
pub(crate) use multiplexed::Connection;
