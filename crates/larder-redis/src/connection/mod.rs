//! Connections to one server, and what is done when they fail.
//!
//! - [`Line`] is one multiplexed connection with its health.
//! - [`Source`] makes lines: a bb8 pool of ours, or an application's own.
//! - [`Node`] is one server: the lines in use, and whether there is one. A cluster has many nodes.
//! - [`Operation`] is one operation on a node: its deadline, its place among those in flight, and
//!   what is sent again.
//! - `supervise` replaces lines that broke.

mod fault;
mod line;
mod manager;
mod node;
mod operation;
mod pace;
mod source;
mod supervisor;

pub(crate) use fault::Fault;
pub(crate) use node::{Limits, Node};
pub(crate) use operation::{Operation, Repeat, Request};
pub(crate) use source::Source;
pub(crate) use supervisor::Supervisor;
