use larder_store::program::{Arg, Args, MAX_INT};

use crate::{CookieExpiry, Lifetime, SignInOptions};

/// The settings that a sign-in chose for its session.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Choice {
    /// Idle time in microseconds; 0 means the app's.
    idle: i64,
    /// Touch in microseconds; ignored without an idle time.
    touch: i64,
    pub(crate) expiry: Option<CookieExpiry>,
}

impl Choice {
    pub(crate) fn of(options: &SignInOptions) -> Self {
        let micros = |of: fn(&Lifetime) -> larder_store::Ttl| {
            options
                .lifetime
                .as_ref()
                .map_or(0, |life| of(life).as_micros())
        };
        Self {
            idle: micros(Lifetime::idle),
            touch: micros(Lifetime::touch_interval),
            expiry: options.expiry,
        }
    }

    /// Reads the three numbers that its arguments are. None for anything else.
    pub(crate) fn read(idle: i64, touch: i64, code: i64) -> Option<Self> {
        let expiry = match code {
            0 => None,
            1 => Some(CookieExpiry::OnBrowserClose),
            2 => Some(CookieExpiry::WithTheSession),
            _ => return None,
        };
        let is_time = |micros: i64| (0..=MAX_INT).contains(&micros);
        (is_time(idle) && is_time(touch)).then_some(Self {
            idle,
            touch,
            expiry,
        })
    }

    /// Returns the idle time, where `default` is the app's.
    pub(crate) fn idle(&self, default: i64) -> i64 {
        if self.idle > 0 { self.idle } else { default }
    }

    /// Returns the touch, where `default` is the app's.
    pub(crate) fn touch(&self, default: i64) -> i64 {
        if self.idle > 0 { self.touch } else { default }
    }
}

/// The settings as three arguments of a program.
impl Arg for Choice {
    fn write(&self, args: &mut Args) {
        let expiry: u32 = match self.expiry {
            None => 0,
            Some(CookieExpiry::OnBrowserClose) => 1,
            Some(CookieExpiry::WithTheSession) => 2,
        };
        ((self.idle, self.touch), expiry).write(args);
    }
}
