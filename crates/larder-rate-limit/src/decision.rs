use std::time::Duration;

/// What a limiter says of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decision {
    pub(crate) allowed: bool,
    pub(crate) remaining: u32,
    pub(crate) retry_after_us: i64,
    pub(crate) reset_us: i64,
}

impl Decision {
    /// Whether the request may pass.
    pub const fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// How many units may be used at once from here on, this request's own already taken off.
    pub const fn remaining(&self) -> u32 {
        self.remaining
    }

    /// How long until the same request passes, in whole microseconds, if nothing else is charged
    /// meanwhile; zero where it passes now. One microsecond earlier it does not.
    pub const fn retry_after(&self) -> Duration {
        Duration::from_micros(self.retry_after_us.unsigned_abs())
    }

    /// How long until the whole burst is back, if nothing else is charged meanwhile, in whole
    /// microseconds.
    pub const fn reset(&self) -> Duration {
        Duration::from_micros(self.reset_us.unsigned_abs())
    }
}
