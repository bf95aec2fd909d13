use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use larder_store::{Error, ErrorKind, Result, Timestamp};

/// The moments at which a periodic job is due.
///
/// Every process computes the same moments, whenever it was started.
#[derive(Clone)]
pub struct Schedule(Kind);

#[derive(Clone)]
enum Kind {
    Every(i64),
    #[cfg(feature = "cron")]
    Cron(Box<super::cron::CronSchedule>),
}

/// The shortest interval, also of cron expressions.
const SHORTEST: Duration = Duration::from_secs(1);

/// The spans in which due moments are searched, from the present backward.
const WINDOWS: [Duration; 6] = [
    Duration::from_secs(60),
    Duration::from_secs(3_600),
    Duration::from_secs(86_400),
    Duration::from_secs(32 * 86_400),
    Duration::from_secs(366 * 86_400),
    Duration::from_secs(10 * 366 * 86_400),
];

impl Schedule {
    /// Makes a schedule that is due once in each interval: at the multiples of `interval` since the Unix
    /// epoch.
    ///
    /// So an interval of an hour is due on the hour, and one of a day at midnight UTC.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for less than a second or more than a year.
    pub fn every(interval: Duration) -> Result<Self> {
        if interval < SHORTEST || interval > WINDOWS[4] {
            return Err(invalid(format!(
                "the interval is {interval:?}; expected 1 s to 366 days"
            )));
        }
        // At most a year, so it fits.
        Ok(Self(Kind::Every(interval.as_micros() as i64)))
    }

    /// Makes a schedule from a cron expression, in UTC.
    ///
    /// It has five fields: minute, hour, day of the month, month, day of the week; or six, with the
    /// second first. It may use `*`, ranges `1-5`, steps `*/10`, lists `1,15`, names `MON`, `L` for the
    /// last day, `#` for the nth weekday, `W` for the closest weekday, and `@daily` and the like.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the expression cannot be read, or is never due.
    #[cfg(feature = "cron")]
    pub fn cron(expression: &str) -> Result<Self> {
        super::cron::CronSchedule::new(expression, "UTC").map(Self::from_cron)
    }

    /// Makes a schedule from a cron expression, in a time zone.
    ///
    /// The zone has an IANA name, such as `Europe/Stockholm`. When clocks change there:
    ///
    /// - a fixed time that is skipped is due when the clocks have moved: `30 2 * * *` at 03:00;
    /// - a fixed time that occurs twice is due only the first time;
    /// - an expression with `*` or a step in its hours or minutes is due at each real moment that it
    ///   matches, so `*/30 * * * *` is due each half hour throughout.
    ///
    /// # Errors
    /// Those of [`cron`](Self::cron), and also for an unknown time zone.
    #[cfg(feature = "cron")]
    pub fn cron_in(time_zone: &str, expression: &str) -> Result<Self> {
        super::cron::CronSchedule::new(expression, time_zone).map(Self::from_cron)
    }

    #[cfg(feature = "cron")]
    fn from_cron(cron: super::cron::CronSchedule) -> Self {
        Self(Kind::Cron(Box::new(cron)))
    }

    /// Returns the first moment after `moment` that is due. None if there is none.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            Kind::Every(micros) => {
                let passed = moment.as_micros().div_euclid(*micros);
                let next = passed.checked_add(1)?.checked_mul(*micros)?;
                Some(Timestamp::from_micros(next))
            }
            #[cfg(feature = "cron")]
            Kind::Cron(cron) => cron.next_after(moment),
        }
    }

    /// Returns the last `count` moments after `from` and up to `until`, oldest first.
    ///
    /// It searches no further back than necessary, however long ago `from` is.
    pub(super) fn last(&self, from: Timestamp, until: Timestamp, count: usize) -> Vec<Timestamp> {
        let mut found = VecDeque::new();
        for window in WINDOWS {
            let back = until.plus_micros(-(window.as_micros() as i64));
            let begin = back.max(from);
            found.clear();
            let mut next = self.next_after(begin);
            while let Some(due) = next.filter(|due| *due <= until) {
                if found.len() == count {
                    found.pop_front();
                }
                found.push_back(due);
                next = self.next_after(due);
            }
            if found.len() == count || begin == from {
                break;
            }
        }
        found.into()
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Every(micros) => {
                write!(
                    f,
                    "every {:?}",
                    Duration::from_micros(micros.unsigned_abs())
                )
            }
            #[cfg(feature = "cron")]
            Kind::Cron(cron) => cron.fmt(f),
        }
    }
}

pub(super) fn invalid(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new("schedule", ErrorKind::Invalid, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn an_interval_is_due_at_its_multiples_for_every_process() {
        let minute = Schedule::every(Duration::from_secs(60)).unwrap();
        assert_eq!(minute.next_after(seconds(119)), Some(seconds(120)));
        assert_eq!(minute.next_after(seconds(120)), Some(seconds(180)));
        assert_eq!(minute.next_after(seconds(-1)), Some(seconds(0)));
        assert_eq!(minute.next_after(Timestamp::from_micros(i64::MAX)), None);
    }

    #[test]
    fn an_interval_below_a_second_or_above_a_year_is_refused() {
        for interval in [
            Duration::from_millis(999),
            Duration::from_secs(400 * 86_400),
        ] {
            let error = Schedule::every(interval).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(
                error.to_string().contains("expected 1 s to 366 days"),
                "{error}"
            );
        }
    }

    #[test]
    fn the_last_moments_are_found_however_long_ago_the_first_was() {
        let second = Schedule::every(Duration::from_secs(1)).unwrap();
        let now = seconds(1_800_000_000);
        assert_eq!(second.last(seconds(0), now, 1), [now]);
        let three = second.last(seconds(0), now, 3);
        assert_eq!(three, [seconds(1_799_999_998), seconds(1_799_999_999), now]);
        assert_eq!(second.last(seconds(1_799_999_999), now, 3), [now]);
        assert_eq!(second.last(now, now, 3), []);
        let month = Schedule::every(Duration::from_secs(30 * 86_400)).unwrap();
        assert_eq!(month.last(seconds(0), now, 2).len(), 2);
        assert_eq!(month.last(seconds(1_799_000_000), now, 2).len(), 0);
    }
}
