//! Speed: round trips, slow commands and latency events.

use std::time::Duration;

use super::super::Context;
use super::super::facts::{Facts, SlowCommand};
use super::super::report::Status;
use super::super::verdict::{Outcome, outcome, warn_if};
use crate::fields::Missing;

/// Above this, nothing that calls a store on each request is fast.
const SLOWEST: Duration = Duration::from_millis(50);

/// A command of this length blocks every client.
const SLOW: Duration = Duration::from_millis(10);

/// The number of entries of the slow log that are read.
pub(in super::super) const SLOW_ENTRIES: usize = 1_024;

/// The default of `slowlog-max-len`, which counts if the server does not tell its own.
const USUAL_ENTRIES: usize = 128;

const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn reach(facts: &Facts, _: &Context) -> Outcome {
    match &facts.pings {
        Ok(_) => outcome(Status::Ok, "it answers"),
        Err(missing) => outcome(Status::Fail, missing.0.clone()),
    }
}

pub(super) fn round_trip(facts: &Facts, context: &Context) -> Outcome {
    let pings = facts.pings.as_ref().map_err(Clone::clone)?;
    let (Some(fastest), Some(slowest)) = (pings.first(), pings.last()) else {
        return Ok(None);
    };
    let median = pings[pings.len() / 2];
    let seen = format!(
        "{median:.1?} as the median of {}, {slowest:.1?} at most",
        pings.len()
    );
    let status = match *fastest > SLOWEST {
        true => Status::Fail,
        false => warn_if(median > context.timeout / 4),
    };
    outcome(status, seen)
}

pub(super) fn slow_commands(facts: &Facts, _: &Context) -> Outcome {
    let slow = facts.slow.as_ref().map_err(Clone::clone)?;
    let recent = slow.iter().filter(|it| it.age < HOUR && it.took > SLOW);
    let recent: Vec<_> = recent.collect();
    let Some(longest) = recent.iter().max_by_key(|it| it.took) else {
        if let Some(span) = reach_of_log(facts, slow) {
            return Err(Missing::new(format!(
                "none over 10 ms, but the slow log is full of shorter commands and reaches back only {span:.0?}: raise \
                 slowlog-max-len, or CONFIG SET slowlog-log-slower-than 10000"
            )));
        }
        let logged = facts.config.as_ref().ok();
        let logged = logged.and_then(|config| config.find("slowlog-log-slower-than"));
        let logged = logged.and_then(|micros| micros.parse::<i64>().ok());
        let seen = match logged {
            Some(micros) if !(0..=SLOW.as_micros() as i64).contains(&micros) => {
                "none, but those of 10 ms are not logged: CONFIG SET slowlog-log-slower-than 10000"
            }
            _ => "none",
        };
        return outcome(Status::Ok, seen);
    };
    let seen = format!(
        "{} in the last hour, the longest {} of {:.0?}",
        recent.len(),
        longest.name,
        longest.took
    );
    let is_dangerous = |name: &str| name == "KEYS" || name.starts_with("FLUSH");
    let status = match recent.iter().any(|it| is_dangerous(&it.name)) {
        true => Status::Fail,
        false => Status::Warn,
    };
    outcome(status, seen)
}

/// Returns how far the slow log reaches back, if it is full and that is less than an hour.
fn reach_of_log(facts: &Facts, slow: &[SlowCommand]) -> Option<Duration> {
    let most = facts.config.as_ref().ok();
    let most = most.and_then(|config| config.find("slowlog-max-len")?.parse().ok());
    let most = most.unwrap_or(USUAL_ENTRIES).min(SLOW_ENTRIES);
    let oldest = slow.iter().map(|it| it.age).max()?;
    (slow.len() >= most && oldest < HOUR).then_some(oldest)
}

pub(super) fn latency_events(facts: &Facts, context: &Context) -> Outcome {
    let events = facts.events.as_ref().map_err(Clone::clone)?;
    let Some(longest) = events.iter().max_by_key(|it| it.longest) else {
        let threshold = facts.config.as_ref().ok();
        let threshold = threshold.and_then(|config| config.find("latency-monitor-threshold"));
        let seen = match threshold {
            Some("0") => "none, since the monitor is off: CONFIG SET latency-monitor-threshold 50",
            _ => "none",
        };
        return outcome(Status::Ok, seen);
    };
    let seen = format!("{} of {:.0?}", longest.name, longest.longest);
    outcome(warn_if(longest.longest > context.timeout), seen)
}

#[cfg(test)]
mod tests {
    use super::super::super::facts::LatencyEvent;
    use super::super::tests::{ALL, find, healthy, is};
    use super::*;
    use crate::fields::Fields;

    #[test]
    fn a_server_that_does_not_answer_is_a_failure_and_not_unknown() {
        let mut facts = healthy();
        facts.pings = Err(Missing::new("no connection"));
        is("L001", &facts, &ALL, Status::Fail);
        is("L019", &facts, &ALL, Status::Unknown);
    }

    #[test]
    fn slow_round_trips_are_judged_by_the_timeout() {
        for (millis, status) in [(24, Status::Ok), (26, Status::Warn), (51, Status::Fail)] {
            let pings = Ok(vec![Duration::from_millis(millis); 5]);
            is("L019", &Facts { pings, ..healthy() }, &ALL, status);
        }
    }

    #[test]
    fn slow_commands_of_the_last_hour_count() {
        let entry = |name: &str, took: u64, age: u64| SlowCommand {
            age: Duration::from_secs(age),
            took: Duration::from_millis(took),
            name: name.to_owned(),
        };
        for (entry, status) in [
            (entry("EVALSHA", 30, 10), Status::Warn),
            (entry("KEYS", 30, 10), Status::Fail),
            (entry("FLUSHALL", 30, 10), Status::Fail),
            (entry("KEYS", 30, 3601), Status::Ok),
            (entry("KEYS", 9, 10), Status::Ok),
        ] {
            let slow = Ok(vec![entry]);
            is("L020", &Facts { slow, ..healthy() }, &ALL, status);
        }
    }

    #[test]
    fn a_full_slow_log_that_reaches_back_less_than_an_hour_hides_what_was_before() {
        let entry = |age| SlowCommand {
            age: Duration::from_secs(age),
            took: Duration::from_millis(1),
            name: "GET".to_owned(),
        };
        for (entries, most, age, status) in [
            (128, Some("128"), 60, Status::Unknown),
            (128, Some("128"), 3_601, Status::Ok),
            (127, Some("128"), 60, Status::Ok),
            (128, Some("4096"), 60, Status::Ok),
            (1_024, Some("4096"), 60, Status::Unknown),
            // Without the setting, the default of Redis counts.
            (128, None, 60, Status::Unknown),
            (127, None, 60, Status::Ok),
        ] {
            let config = most.map(|most| Fields::parse(&format!("slowlog-max-len:{most}")));
            let facts = Facts {
                slow: Ok(vec![entry(age); entries]),
                config: config.ok_or_else(|| Missing::new("CONFIG is not permitted")),
                ..healthy()
            };
            is("L020", &facts, &ALL, status);
        }
    }

    #[test]
    fn if_the_server_does_not_log_slow_commands_the_finding_says_so() {
        for (micros, is_logged) in [
            ("-1", false),
            ("10001", false),
            ("10000", true),
            ("0", true),
        ] {
            let config = Ok(Fields::parse(&format!("slowlog-log-slower-than:{micros}")));
            let facts = Facts {
                config,
                ..healthy()
            };
            let found = find("L020").judge(&facts, &ALL).unwrap();
            assert_eq!(found.status, Status::Ok);
            assert_eq!(found.seen == "none", is_logged, "{micros}: {}", found.seen);
        }
    }

    #[test]
    fn latency_events_longer_than_the_timeout_count() {
        for (millis, status) in [(100, Status::Ok), (101, Status::Warn)] {
            let event = LatencyEvent {
                name: "command".to_owned(),
                longest: Duration::from_millis(millis),
            };
            let events = Ok(vec![event]);
            is(
                "L021",
                &Facts {
                    events,
                    ..healthy()
                },
                &ALL,
                status,
            );
        }
    }
}
