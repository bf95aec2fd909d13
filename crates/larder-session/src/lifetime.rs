use larder_store::Ttl;

use crate::{Result, SessionError};

/// The lifetime of a session: the longest time without use, and the longest time in all.
///
/// The absolute time begins when the session is created, and again at each sign-in. The session ends at whichever
/// deadline comes first, by the store's clock. Each write of a session stores its deadlines: a new idle time takes
/// effect at the next use of the session, and a new absolute time at the next sign-in. A lifetime that was chosen
/// with [`log_in_with`](crate::Session::log_in_with) stays until the next sign-in.
///
/// Activity is recorded at most once per [touch interval](Self::touch_interval), so a session may end earlier
/// by up to that time.
///
/// ```
/// use larder_session::Lifetime;
/// use larder_store::Ttl;
///
/// let evening = Lifetime::new(Ttl::from_secs(1800), Ttl::from_secs(4 * 3600))?;
/// assert_eq!(evening.touch_interval(), Ttl::from_secs(60));
/// # Ok::<(), larder_session::SessionError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    idle: Ttl,
    absolute: Ttl,
    touch: Ttl,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The touch is the idle time divided by this.
const TOUCH_PART: u64 = 30;
const MAX_TOUCH: u64 = 60_000;

impl Lifetime {
    /// 30 days, and 7 days idle: within NIST SP 800-63B-4, section 2.1.3 (AAL1), which
    /// recommends an overall time of at most 30 days, and leaves the idle time to the app.
    pub const AAL1: Self = Self::of(7 * DAY, 30 * DAY);
    /// 12 hours, and 30 minutes idle: within NIST SP 800-63B-4, section 2.2.3 (AAL2), which recommends
    /// at most 24 hours, and at most 1 hour idle. The default.
    pub const AAL2: Self = Self::of(30 * MINUTE, 12 * HOUR);
    /// 12 hours, and 15 minutes idle: the limits of NIST SP 800-63B-4, section 2.3.3 (AAL3).
    pub const AAL3: Self = Self::of(15 * MINUTE, 12 * HOUR);

    /// Makes a lifetime of at most `absolute`, and at most `idle` without a request.
    ///
    /// The touch interval is a thirtieth of the idle time, and at most a minute.
    ///
    /// # Errors
    /// [`SessionErrorKind::Invalid`](crate::SessionErrorKind::Invalid) if `idle` is longer than `absolute`.
    pub fn new(idle: Ttl, absolute: Ttl) -> Result<Self> {
        if idle > absolute {
            return Err(SessionError::invalid(
                "the idle time of a session must not be longer than its absolute time: \
                 shorten one or lengthen the other",
            ));
        }
        Ok(Self {
            idle,
            absolute,
            touch: touch_of(idle),
        })
    }

    /// Sets the touch interval: activity is recorded at most once per interval.
    ///
    /// # Errors
    /// [`SessionErrorKind::Invalid`](crate::SessionErrorKind::Invalid) if it is not shorter than the idle time, because sessions in use would end.
    pub fn with_touch_interval(mut self, touch: Ttl) -> Result<Self> {
        if touch >= self.idle {
            return Err(SessionError::invalid(
                "the touch interval of a session must be shorter than its idle time: \
                 otherwise sessions in use would end",
            ));
        }
        self.touch = touch;
        Ok(self)
    }

    /// Returns how long a session may be idle.
    pub const fn idle(&self) -> Ttl {
        self.idle
    }

    /// Returns how long a session may live.
    pub const fn absolute(&self) -> Ttl {
        self.absolute
    }

    /// Returns the touch interval, in which activity is recorded at most once.
    pub const fn touch_interval(&self) -> Ttl {
        self.touch
    }

    const fn of(idle: u64, absolute: u64) -> Self {
        let idle = Ttl::from_secs(idle);
        Self {
            idle,
            absolute: Ttl::from_secs(absolute),
            touch: touch_of(idle),
        }
    }
}

const fn touch_of(idle: Ttl) -> Ttl {
    let touch = idle.as_millis() / TOUCH_PART;
    Ttl::from_millis(if touch > MAX_TOUCH {
        MAX_TOUCH
    } else if touch == 0 {
        1
    } else {
        touch
    })
}

impl Default for Lifetime {
    fn default() -> Self {
        Self::AAL2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SessionErrorKind;

    #[test]
    fn an_impossible_lifetime_is_refused() {
        let (short, long) = (Ttl::from_secs(1), Ttl::from_secs(2));
        let error = Lifetime::new(long, short).unwrap_err();
        assert_eq!(error.kind(), SessionErrorKind::Invalid);
        assert!(
            Lifetime::new(short, long)
                .unwrap()
                .with_touch_interval(short)
                .is_err()
        );
    }

    #[test]
    fn the_presets_are_within_the_limits_of_the_standard() {
        let minutes = |ttl: Ttl| ttl.as_millis() / 60_000;
        let all = [Lifetime::AAL1, Lifetime::AAL2, Lifetime::AAL3];
        assert_eq!(all.map(|life| minutes(life.absolute())), [43_200, 720, 720]);
        assert_eq!(all.map(|life| minutes(life.idle())), [10_080, 30, 15]);
        // SP 800-63B-4: 30 days (2.1.3), 24 hours and 1 hour (2.2.3), 12 hours and 15 minutes (2.3.3).
        let limits = [(43_200, u64::MAX), (1_440, 60), (720, 15)];
        for (life, (absolute, idle)) in all.iter().zip(limits) {
            assert!(minutes(life.absolute()) <= absolute && minutes(life.idle()) <= idle);
        }
    }
}
