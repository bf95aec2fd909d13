//! Cron expressions, by croner and jiff. No public signature of this crate names them.

use std::fmt;
use std::str::FromStr;

use croner::Cron;
use jiff::tz::TimeZone;
use larder_store::{Result, Timestamp};

use super::schedule::invalid;

/// A cron expression in a time zone.
#[derive(Clone)]
pub(super) struct CronSchedule {
    cron: Cron,
    zone: TimeZone,
    text: String,
}

/// 2026, after which a schedule must be due at least once.
const PRESENT: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

impl CronSchedule {
    pub(super) fn new(expression: &str, zone: &str) -> Result<Self> {
        let cron = Cron::from_str(expression).map_err(|error| {
            invalid(format!(
                "'{expression}' is not a cron expression; expected minute, hour, day, month and \
                 weekday, such as '30 2 * * MON'"
            ))
            .with_source(error)
        })?;
        let zone = TimeZone::get(zone).map_err(|error| {
            let detail = format!("no time zone '{zone}'; expected a name such as Europe/Stockholm");
            invalid(detail).with_source(error)
        })?;
        let text = expression.to_owned();
        let schedule = Self { cron, zone, text };
        match schedule.next_after(PRESENT) {
            Some(_) => Ok(schedule),
            None => Err(invalid(format!("'{expression}' is never due"))),
        }
    }

    pub(super) fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let start = jiff::Timestamp::from_microsecond(moment.as_micros()).ok()?;
        let start = start.to_zoned(self.zone.clone());
        let next = self.cron.find_next_occurrence(&start, false).ok()?;
        let next = Timestamp::from_micros(next.timestamp().as_microsecond());
        // If it were not later, the same moment would be found again and again.
        (next > moment).then_some(next)
    }
}

impl fmt::Debug for CronSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = self.zone.iana_name().unwrap_or("UTC");
        write!(f, "cron '{}' in {zone}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use larder_store::ErrorKind;

    use super::*;

    const STOCKHOLM: &str = "Europe/Stockholm";

    /// Returns the next `count` moments after `start`, in local time with its offset.
    fn due(zone: &str, expression: &str, start: &str, count: usize) -> Vec<String> {
        let schedule = CronSchedule::new(expression, zone).unwrap();
        let start: jiff::Timestamp = start.parse().unwrap();
        let mut moment = Timestamp::from_micros(start.as_microsecond());
        let mut found = Vec::new();
        for _ in 0..count {
            moment = schedule.next_after(moment).unwrap();
            let moment = jiff::Timestamp::from_microsecond(moment.as_micros()).unwrap();
            let local = moment.to_zoned(schedule.zone.clone());
            found.push(local.strftime("%d. %H:%M %:z").to_string());
        }
        found
    }

    #[test]
    fn a_fixed_time_that_is_skipped_in_spring_is_due_when_the_clocks_have_moved() {
        let found = due(STOCKHOLM, "30 2 * * *", "2027-03-27T00:00:00Z", 3);
        assert_eq!(
            found,
            ["27. 02:30 +01:00", "28. 03:00 +02:00", "29. 02:30 +02:00"]
        );
    }

    #[test]
    fn a_fixed_time_that_comes_twice_in_autumn_is_due_once() {
        let found = due(STOCKHOLM, "30 2 * * *", "2027-10-30T00:00:00Z", 3);
        assert_eq!(
            found,
            ["30. 02:30 +02:00", "31. 02:30 +02:00", "01. 02:30 +01:00"]
        );
    }

    #[test]
    fn half_hours_are_due_at_each_real_half_hour_while_clocks_change() {
        for (start, count) in [("2027-03-28T00:00:00Z", 6), ("2027-10-31T00:00:00Z", 8)] {
            let schedule = CronSchedule::new("*/30 * * * *", STOCKHOLM).unwrap();
            let start: jiff::Timestamp = start.parse().unwrap();
            let mut moment = Timestamp::from_micros(start.as_microsecond());
            for _ in 0..count {
                let next = schedule.next_after(moment).unwrap();
                assert_eq!(next.since(moment).as_secs(), 1_800, "after {moment:?}");
                moment = next;
            }
        }
    }

    #[test]
    fn a_zone_that_moves_by_half_an_hour_is_known_too() {
        let found = due(
            "Australia/Lord_Howe",
            "15 2 * * *",
            "2027-10-01T00:00:00Z",
            3,
        );
        assert_eq!(
            found,
            ["02. 02:15 +10:30", "03. 02:30 +11:00", "04. 02:15 +11:00"]
        );
    }

    #[test]
    fn every_form_of_expression_is_due_when_it_says() {
        for (expression, first) in [
            ("0 30 9 * * MON-FRI", "04. 09:30 +00:00"),
            ("0 0 L * *", "31. 00:00 +00:00"),
            ("0 12 * * FRI#L", "29. 12:00 +00:00"),
            ("@daily", "02. 00:00 +00:00"),
            ("15,45 */6 * * *", "01. 12:15 +00:00"),
        ] {
            // A Friday.
            let found = due("UTC", expression, "2027-01-01T11:00:00Z", 1);
            assert_eq!(found, [first], "{expression}");
        }
    }

    #[test]
    fn what_is_not_a_schedule_is_refused_and_the_error_says_what_was_expected() {
        for (expression, zone, expected) in [
            ("61 * * * *", "UTC", "expected minute, hour"),
            ("* * *", "UTC", "expected minute, hour"),
            ("", "UTC", "expected minute, hour"),
            ("0 0 30 2 *", "UTC", "never due"),
            ("0 0 * * *", "Europe/Nowhere", "expected a name such as"),
        ] {
            let error = CronSchedule::new(expression, zone).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
