use std::time::Duration;

use tokio::time::Instant;

use crate::node::{Access, Limits};

/// The name, access and deadline of an operation that is to begin.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    pub(crate) name: &'static str,
    pub(crate) access: Access,
    /// None for the deadline of the limits.
    deadline: Option<Instant>,
}

impl Request {
    pub(crate) fn new(name: &'static str, access: Access) -> Self {
        Self {
            name,
            access,
            deadline: None,
        }
    }

    /// A request that replicas need not confirm.
    pub(crate) fn read(name: &'static str) -> Self {
        Self::new(name, Access::Read)
    }

    /// A request that replicas confirm, if the store asks for that.
    pub(crate) fn write(name: &'static str) -> Self {
        Self::new(name, Access::Write)
    }

    /// The same request with a deadline of its own, as of one that began earlier.
    pub(crate) fn by(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The same request with this long from now.
    pub(crate) fn within(self, time: Duration) -> Self {
        self.by(Instant::now() + time)
    }

    /// Returns its deadline, which without one of its own is that of `limits` from now on.
    pub(crate) fn deadline(&self, limits: &Limits) -> Instant {
        self.deadline
            .unwrap_or_else(|| Instant::now() + limits.timeout)
    }
}
