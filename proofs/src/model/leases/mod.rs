//! The operations on leases: how they are drawn, resolved to steps, and run.

mod draw;
mod fences;
mod operation;
mod step;

pub(super) use draw::operation;
pub(super) use fences::{Both, Fences};
pub(super) use operation::LeaseOperation;
pub(super) use step::LeaseStep;
