use std::time::{SystemTime, UNIX_EPOCH};

use larder_store::program::{Arg, Args};
use larder_store::{IdWriter, KeyId};

/// Which score is first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The highest: points. This is the default.
    #[default]
    HighestFirst,
    /// The lowest: times.
    LowestFirst,
}

/// How members with the same score are ranked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ties {
    /// Each member has a rank of its own: 1, 2, 3. Ties are in the order of the members' bytes, or of
    /// time on a board that ranks the earlier first. This is the default.
    #[default]
    Unique,
    /// Tied members share the best rank, and the next ranks are skipped: 1, 1, 3.
    Competition,
    /// Tied members share a rank, and the next score has the next rank: 1, 1, 2.
    Dense,
}

/// The layout of a board's record: its order and its ties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(super) lowest_first: bool,
    pub(super) earlier_first: bool,
    pub(super) dense: bool,
}

impl Layout {
    /// Returns the flags for the key, so that boards with different layouts never share a record.
    pub(super) fn flags(self) -> &'static str {
        match (self.lowest_first, self.earlier_first, self.dense) {
            (false, false, false) => "h",
            (false, false, true) => "hd",
            (false, true, false) => "he",
            (false, true, true) => "hed",
            (true, false, false) => "l",
            (true, false, true) => "ld",
            (true, true, false) => "le",
            (true, true, true) => "led",
        }
    }

    /// Converts a score to its stored form, or back: of two stored ones, the lower is better.
    pub(super) fn turn(self, score: i64) -> i64 {
        match self.lowest_first {
            true => score,
            false => -score,
        }
    }
}

impl Arg for Layout {
    fn write(&self, args: &mut Args) {
        args.text(self.flags());
    }
}

impl Arg for Ties {
    fn write(&self, args: &mut Args) {
        args.text(match self {
            Self::Unique => "unique",
            Self::Competition => "competition",
            Self::Dense => "dense",
        });
    }
}

/// A span of time that has a board of its own, in UTC.
///
/// A score that counts for the day, for the week and for ever is added to three boards, in one round trip
/// by [`add_to`](super::Leaderboard::add_to); so no board has to be summed from others.
///
/// Your own clock chooses the windows, so that all boards of one score belong to one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// A day, from midnight.
    Day,
    /// A week, from Monday.
    Week,
    /// All time.
    All,
}

impl Window {
    /// Returns the id of the board of this window at `time`. A time before 1970 counts as 1970.
    pub fn at(self, time: SystemTime) -> WindowId {
        let seconds = time
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let days = seconds / 86_400;
        WindowId(match self {
            Self::Day => ("day", days),
            // The first day of 1970 was a Thursday.
            Self::Week => ("week", (days + 3) / 7),
            Self::All => ("all", 0),
        })
    }
}

/// The id of the board of one [`Window`]. For several boards, make it part of a tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowId((&'static str, u64));

impl KeyId for WindowId {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        id.text(self.0.0);
        id.number(self.0.1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_day_begins_at_midnight_and_a_week_on_monday() {
        // Monday 2026-11-23, 00:00 UTC.
        let monday = UNIX_EPOCH + Duration::from_secs(1_795_392_000);
        let before = monday - Duration::from_millis(1);
        let sunday = monday + Duration::from_secs(7 * 86_400 - 1);
        assert_eq!(Window::Week.at(monday), Window::Week.at(sunday));
        assert_ne!(Window::Week.at(before), Window::Week.at(monday));
        assert_ne!(Window::Day.at(before), Window::Day.at(monday));
        assert_ne!(Window::Day.at(monday), Window::Day.at(sunday));
        assert_eq!(Window::All.at(before), Window::All.at(sunday));
    }
}
