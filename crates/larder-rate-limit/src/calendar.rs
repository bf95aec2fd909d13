use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};
use larder_store::{Error, ErrorKind, Result};

/// Uses the days, weeks or months of a time zone as the windows of a [fixed
/// window](crate::Rule::fixed_window).
///
/// A window begins and ends at local midnight, even on days that are 23 or 25 hours long; if the clocks skip
/// midnight, at the first moment of the day. The process computes
/// the edges by its own clock and its time zone database, and the store's clock decides between which edges a
/// request falls. So all processes agree as long as their clocks are right to within one window.
///
/// ```
/// use larder_rate_limit::{Calendar, Rule};
///
/// # fn main() -> larder_store::Result<()> {
/// let monthly = Rule::fixed_window(10_000, Calendar::monthly("Europe/Zurich")?.into());
/// # let _ = monthly;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Calendar {
    unit: Unit,
    zone: TimeZone,
    /// The edges that were computed last.
    edges: Arc<Mutex<[i64; 4]>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Unit {
    Day,
    Week,
    Month,
}

impl Calendar {
    /// Makes windows of a day in a time zone, such as `Europe/Zurich` or `UTC`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the time zone is unknown.
    pub fn daily(zone: &str) -> Result<Self> {
        Self::new(Unit::Day, zone)
    }

    /// Makes windows of a week, from Monday on.
    ///
    /// # Errors
    /// Those of [`daily`](Self::daily).
    pub fn weekly(zone: &str) -> Result<Self> {
        Self::new(Unit::Week, zone)
    }

    /// Makes windows of a month.
    ///
    /// # Errors
    /// Those of [`daily`](Self::daily).
    pub fn monthly(zone: &str) -> Result<Self> {
        Self::new(Unit::Month, zone)
    }

    fn new(unit: Unit, zone: &str) -> Result<Self> {
        let zone = TimeZone::get(zone).map_err(|error| {
            let detail = format!("no time zone '{zone}'; expected a name such as Europe/Zurich");
            Error::new("build a rate limit", ErrorKind::Invalid, detail).with_source(error)
        })?;
        Ok(Self {
            unit,
            zone,
            edges: Arc::default(),
        })
    }

    /// Returns a number that tells it from other calendars in this process.
    pub(crate) fn id(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.unit, self.zone.iana_name()).hash(&mut hasher);
        hasher.finish()
    }

    /// Returns the maximum length of a window. A day may have 25 hours.
    pub(crate) fn longest(&self) -> Duration {
        let days = match self.unit {
            Unit::Day => 1,
            Unit::Week => 7,
            Unit::Month => 31,
        };
        Duration::from_secs(days * 86_400 + 3_600)
    }

    /// Returns four edges: the starts of the previous window, of the window of `now` and of the next one, and the
    /// end of the next one.
    pub(crate) fn edges(&self, now: i64) -> [i64; 4] {
        // A panic cannot leave the four numbers half written.
        let mut held = self.edges.lock().unwrap_or_else(PoisonError::into_inner);
        if !(held[1]..held[2]).contains(&now) {
            // Jiff covers all moments of the years -9999 to 9999.
            *held = self.computed(now).unwrap_or_else(|_| {
                let length = self.longest().as_micros() as i64;
                [now - length, now, now + length, now + 2 * length]
            });
        }
        *held
    }

    fn computed(&self, now: i64) -> std::result::Result<[i64; 4], jiff::Error> {
        let today = jiff::Timestamp::from_microsecond(now)?
            .to_zoned(self.zone.clone())
            .date();
        let (first, step): (Date, Span) = match self.unit {
            Unit::Day => (today, 1.day()),
            Unit::Week => {
                let passed = i64::from(today.weekday().to_monday_zero_offset());
                (today.checked_sub(passed.days())?, 1.week())
            }
            Unit::Month => (today.first_of_month(), 1.month()),
        };
        let midnight = |date: Date| {
            let midnight = date.to_zoned(self.zone.clone())?.start_of_day()?;
            Ok::<_, jiff::Error>(midnight.timestamp().as_microsecond())
        };
        let next = first.checked_add(step)?;
        Ok([
            midnight(first.checked_sub(step)?)?,
            midnight(first)?,
            midnight(next)?,
            midnight(next.checked_add(step)?)?,
        ])
    }
}

impl PartialEq for Calendar {
    fn eq(&self, other: &Self) -> bool {
        self.unit == other.unit && self.zone == other.zone
    }
}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = self.zone.iana_name().unwrap_or("UTC");
        write!(f, "{:?} in {zone}", self.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }

    /// The edges around a moment, as hours between them.
    fn hours(calendar: &Calendar, moment: &str) -> [i64; 3] {
        let edges = calendar.edges(micros(moment));
        [0, 1, 2].map(|i| (edges[i + 1] - edges[i]) / 3_600_000_000)
    }

    #[test]
    fn a_day_in_a_zone_begins_at_local_midnight_and_has_23_to_25_hours() {
        let zurich = Calendar::daily("Europe/Zurich").unwrap();
        let edges = zurich.edges(micros("2026-07-14T21:59:59Z"));
        assert_eq!(edges[1], micros("2026-07-13T22:00:00Z"));
        assert_eq!(edges[2], micros("2026-07-14T22:00:00Z"));
        // The clocks move on 28 March and on 31 October 2027.
        assert_eq!(hours(&zurich, "2027-03-28T12:00:00Z"), [24, 23, 24]);
        assert_eq!(hours(&zurich, "2027-10-31T12:00:00Z"), [24, 25, 24]);
    }

    #[test]
    fn a_week_begins_on_monday_and_a_month_on_its_first() {
        let week = Calendar::weekly("UTC").unwrap();
        // A Sunday, and the Monday after it.
        let edges = week.edges(micros("2026-11-29T23:59:59Z"));
        assert_eq!(edges[1], micros("2026-11-23T00:00:00Z"));
        assert_eq!(edges[2], micros("2026-11-30T00:00:00Z"));
        let month = Calendar::monthly("America/New_York").unwrap();
        let edges = month.edges(micros("2026-02-01T04:59:59Z"));
        assert_eq!(edges[1], micros("2026-01-01T05:00:00Z"));
        assert_eq!(edges[2], micros("2026-02-01T05:00:00Z"));
        assert_eq!(edges[3], micros("2026-03-01T05:00:00Z"));
    }

    #[test]
    fn a_midnight_that_is_skipped_is_the_first_moment_of_its_day() {
        // In Beirut the clocks move at midnight: 28 March 2027 begins at 01:00.
        let beirut = Calendar::daily("Asia/Beirut").unwrap();
        assert_eq!(hours(&beirut, "2027-03-28T12:00:00Z"), [24, 23, 24]);
    }

    #[test]
    fn a_zone_that_is_not_known_is_an_error_that_shows_one_that_is() {
        let error = Calendar::daily("Europe/Zuerich").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("Europe/Zurich"), "{error}");
    }
}
