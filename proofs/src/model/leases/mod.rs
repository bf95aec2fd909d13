//! The operations on leases: how they are drawn, resolved to steps, and run.

mod draw;
mod fences;
mod operation;
mod step;

pub(super) use draw::operation;
pub use fences::{Both, Fences, Shown};
pub(super) use operation::LeaseOperation;
pub(super) use step::LeaseStep;
