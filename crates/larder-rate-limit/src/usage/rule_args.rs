use std::hash::{Hash, Hasher};

use larder_store::program::prelude::*;

/// A rule as the arguments of a program. Times are in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RuleArgs {
    /// GCRA, and a token bucket.
    Gcra { interval: i64, tolerance: i64 },
    /// A window at the multiples of a period.
    Aligned { limit: i64, period: i64 },
    /// A window that begins with the first request.
    FromFirst { limit: i64, period: i64 },
    /// Windows between edges that are in order: the last, this and the next one, as the caller's clock sees it.
    #[cfg_attr(
        not(feature = "calendar"),
        allow(dead_code, reason = "no window is made of it")
    )]
    Calendar {
        limit: i64,
        /// Tells calendars apart in this process.
        id: u64,
        edges: [i64; 4],
    },
    /// A window that slides, estimated from two counts.
    Sliding { limit: i64, period: i64 },
    /// A log of each unit.
    Log { limit: i64, period: i64 },
    /// This many permits.
    Permits { limit: i64 },
}

impl RuleArgs {
    /// Returns the maximum number of units at once.
    pub(crate) fn limit(&self) -> i64 {
        match *self {
            Self::Gcra {
                interval,
                tolerance,
            } => tolerance / interval,
            Self::Aligned { limit, .. }
            | Self::FromFirst { limit, .. }
            | Self::Calendar { limit, .. }
            | Self::Sliding { limit, .. }
            | Self::Log { limit, .. }
            | Self::Permits { limit } => limit,
        }
    }

    /// Returns the window in which a request at `at` counts, if the rule has fixed windows.
    pub(super) fn window(&self, at: i64) -> (i64, i64) {
        match self {
            Self::Calendar { edges, .. } => match edges[1..].iter().position(|edge| at < *edge) {
                Some(i) => (edges[i], edges[i + 1]),
                // The caller's clock is a window behind, so assume a window as long as the last one.
                None => (at, at + edges[3] - edges[2]),
            },
            Self::Aligned { period, .. } => {
                let start = at.div_euclid(*period) * period;
                (start, start + period)
            }
            _ => (at, at + self.period()),
        }
    }

    /// Returns the latest end of a window that this rule can have begun by `at`.
    pub(super) fn latest_end(&self, at: i64) -> i64 {
        match self {
            Self::Calendar { edges, .. } => edges[3],
            _ => at + self.period(),
        }
    }

    pub(super) fn period(&self) -> i64 {
        match *self {
            Self::Aligned { period, .. }
            | Self::FromFirst { period, .. }
            | Self::Sliding { period, .. }
            | Self::Log { period, .. } => period,
            Self::Gcra { .. } | Self::Calendar { .. } | Self::Permits { .. } => 0,
        }
    }
}

/// Without the edges of a calendar, which move with the time.
impl Hash for RuleArgs {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        std::mem::discriminant(self).hash(hasher);
        match *self {
            Self::Gcra {
                interval,
                tolerance,
            } => (interval, tolerance).hash(hasher),
            Self::Calendar { limit, id, .. } => (limit, id).hash(hasher),
            _ => (self.limit(), self.period()).hash(hasher),
        }
    }
}

/// A tag, and the parameters: two, or five of a calendar.
impl Arg for RuleArgs {
    fn write(&self, args: &mut Args) {
        let (tag, params) = match *self {
            Self::Gcra {
                interval,
                tolerance,
            } => ("g", [interval, tolerance]),
            Self::Aligned { limit, period } => ("f", [limit, period]),
            Self::FromFirst { limit, period } => ("r", [limit, period]),
            Self::Calendar { limit, edges, .. } => {
                args.text("c");
                args.int(limit);
                for edge in edges {
                    args.int(edge);
                }
                return;
            }
            Self::Sliding { limit, period } => ("s", [limit, period]),
            Self::Log { limit, period } => ("l", [limit, period]),
            Self::Permits { limit } => ("k", [limit, 0]),
        };
        args.text(tag);
        for param in params {
            args.int(param);
        }
    }
}
