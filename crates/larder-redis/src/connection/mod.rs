//! Connections to one server, and what is done when they fail.
//!
//! - [`Line`] is one multiplexed connection with its health.
//! - [`Source`] makes connections: a bb8 pool of ours, or an application's own.
//! - [`Node`] is one server: the connection in use, and whether there is one. A cluster has many nodes.
//! - [`SupervisedNode`] is a node with its supervisor: what the route of a store is made of.
//! - [`Operation`] is one operation on a node: its deadline, its place among those in flight, and
//!   what is sent again.
//! - `supervise` replaces a connection that broke.
//!
//! A node has one connection, since that is what keeps the order: commands of one key on two sockets run
//! in the order in which the server happens to read them.

mod backoff;
mod client_handle;
mod cooperate;
mod demoted;
mod dial;
mod error;
mod health;
mod host_port;
mod limits;
mod listen;
mod manager;
mod node;
mod operation;
mod repeat;
mod replicas;
mod sentinels;
mod shared;
mod socket;
mod source;
mod supervised;
mod supervisor;
mod target;

pub(crate) use backoff::Backoff;
pub(crate) use cooperate::cooperate;
pub(crate) use error::{ConnectError, Denial, MAY_NOT_GREET};
pub(crate) use health::Health;
pub(crate) use host_port::HostPort;
pub(crate) use limits::Limits;
pub(crate) use node::Node;
pub(crate) use operation::Operation;
pub(crate) use repeat::{Repeat, after_lost_run};
pub(crate) use replicas::{Access, Replicas};
pub(crate) use sentinels::Sentinels;
pub(crate) use shared::Connection;
pub(crate) use source::Source;
pub(crate) use supervised::SupervisedNode;
pub(crate) use target::{Address, Target};
