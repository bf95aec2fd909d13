use std::time::Duration;

use tokio::time::Instant;

use crate::node::{Access, Limits};

/// The name, access and deadline of a new operation.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    pub(crate) name: &'static str,
    pub(crate) access: Access,
    /// The name of the script that it calls, for its span.
    pub(crate) script: Option<&'static str>,
    /// None for the deadline of the limits.
    deadline: Option<Instant>,
    /// The time from the start to the deadline, for errors. None for the timeout of the limits.
    time: Option<Duration>,
}

impl Request {
    pub(crate) fn new(name: &'static str, access: Access) -> Self {
        Self {
            name,
            access,
            script: None,
            deadline: None,
            time: None,
        }
    }

    /// Makes a request that replicas need not confirm.
    pub(crate) fn read(name: &'static str) -> Self {
        Self::new(name, Access::Read)
    }

    /// Makes a request that replicas confirm, if the store asks for that and it wrote anything.
    pub(crate) fn write(name: &'static str) -> Self {
        Self::new(name, Access::Write)
    }

    /// Makes a request that replicas confirm, if the store asks for that, whatever it answers.
    pub(crate) fn program(name: &'static str) -> Self {
        Self::new(name, Access::Program)
    }

    /// Names the script that it calls.
    pub(crate) fn calling(mut self, script: Option<&'static str>) -> Self {
        self.script = script;
        self
    }

    /// Sets the deadline, such as the one of an earlier operation.
    pub(crate) fn by(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets the deadline to this time from now.
    pub(crate) fn within(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self.by(Instant::now() + time)
    }

    /// Returns the time from the start to the deadline, which by default is the timeout of `limits`.
    pub(crate) fn time(&self, limits: &Limits) -> Duration {
        self.time.unwrap_or(limits.timeout)
    }

    /// Returns the deadline, which by default is the timeout of `limits` from now.
    pub(crate) fn deadline(&self, limits: &Limits) -> Instant {
        self.deadline
            .unwrap_or_else(|| Instant::now() + limits.timeout)
    }
}
