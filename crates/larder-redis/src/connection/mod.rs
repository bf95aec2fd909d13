//! Connections to one server, and what is done when they fail.
//!
//! - [`Line`] is one multiplexed connection with its health.
//! - [`Source`] makes lines: a bb8 pool of ours, or an application's own.
//! - [`Node`] is one server: the line in use, and whether there is one. A cluster has many nodes.
//! - [`Member`] is a node with its supervisor: what the route of a store is made of.
//! - [`Operation`] is one operation on a node: its deadline, its place among those in flight, and
//!   what is sent again.
//! - `supervise` replaces a line that broke.
//!
//! A node has one line, since that is what keeps the order: commands of one key on two sockets run
//! in the order in which the server happens to read them.

mod cooperate;
mod demoted;
mod dial;
mod fault;
mod health;
mod limits;
mod line;
mod listen;
mod manager;
mod member;
mod node;
mod operation;
mod pace;
mod place;
mod remains;
mod repeat;
mod replicas;
mod sentinels;
mod socket;
mod source;
mod supervisor;
mod target;

pub(crate) use cooperate::cooperate;
pub(crate) use fault::{Denial, Fault, MAY_NOT_GREET};
pub(crate) use health::Health;
pub(crate) use limits::Limits;
pub(crate) use line::Line;
pub(crate) use member::Member;
pub(crate) use node::Node;
pub(crate) use operation::Operation;
pub(crate) use pace::Pace;
pub(crate) use place::Place;
pub(crate) use repeat::{Repeat, after_lost_run};
pub(crate) use replicas::{Access, Replicas};
pub(crate) use sentinels::Sentinels;
pub(crate) use source::Source;
pub(crate) use target::{Address, Target};
