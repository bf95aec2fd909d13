//! The windows of a fixed window: where they begin and end.

use std::time::Duration;

#[cfg(feature = "calendar")]
use crate::Calendar;

/// The windows of a [fixed window](crate::Rule::fixed_window).
#[derive(Clone, Debug, PartialEq)]
pub struct Window(pub(crate) Edges);

/// How the edges of a window are found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Edges {
    /// At the multiples of a period since the Unix epoch.
    Aligned(Duration),
    /// With the first request, and this long after it.
    FromFirst(Duration),
    /// Where a calendar puts them.
    #[cfg(feature = "calendar")]
    Calendar(Calendar),
}

impl Window {
    /// Begins a window at each multiple of `period` since the Unix epoch, in UTC.
    ///
    /// All visitors start again at the same moments: each hour on the hour, or each day at
    /// midnight.
    pub const fn every(period: Duration) -> Self {
        Self(Edges::Aligned(period))
    }

    /// Begins a window with the first request of a visitor, and ends it `period` later.
    ///
    /// Visitors start again at different moments, so that they do not all return at once.
    pub const fn from_first(period: Duration) -> Self {
        Self(Edges::FromFirst(period))
    }

    /// Returns the maximum length of a window.
    pub(crate) fn period(&self) -> Duration {
        match &self.0 {
            Edges::Aligned(period) | Edges::FromFirst(period) => *period,
            #[cfg(feature = "calendar")]
            Edges::Calendar(calendar) => calendar.longest(),
        }
    }

    /// Returns whether all windows have the same length.
    pub(crate) fn is_of_one_length(&self) -> bool {
        match &self.0 {
            Edges::Aligned(_) | Edges::FromFirst(_) => true,
            #[cfg(feature = "calendar")]
            Edges::Calendar(_) => false,
        }
    }
}

#[cfg(feature = "calendar")]
impl From<Calendar> for Window {
    fn from(calendar: Calendar) -> Self {
        Self(Edges::Calendar(calendar))
    }
}
