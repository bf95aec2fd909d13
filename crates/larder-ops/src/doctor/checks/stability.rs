//! The version of the server, and its clock.

use super::super::Context;
use super::super::facts::Facts;
use super::super::report::Status;
use super::super::verdict::{Outcome, above, fail_if, outcome};
use crate::fields::Missing;

const OLDEST: u32 = 7;

pub(super) fn version(facts: &Facts, _: &Context) -> Outcome {
    let info = facts.info()?;
    if let Some(valkey) = info.find("valkey_version") {
        return outcome(Status::Ok, format!("Valkey {valkey}"));
    }
    let version = info.text("redis_version")?;
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    let major: u32 = major.ok_or_else(|| Missing::new("the version is not a number"))?;
    outcome(fail_if(major < OLDEST), format!("Redis {version}"))
}

pub(super) fn clock(facts: &Facts, _: &Context) -> Outcome {
    let distance = facts.clock.as_ref().map_err(Clone::clone)?;
    let seen = match *distance < 0.0 {
        true => format!("{:.3} s behind ours", -distance),
        false => format!("{distance:.3} s ahead of ours"),
    };
    outcome(above(distance.abs(), 1.0, 60.0), seen)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ALL, find, healthy, info, is};
    use super::*;

    #[test]
    fn valkey_is_known_by_its_own_version() {
        let valkey = info("redis_version:7.2.4\nvalkey_version:8.1.0");
        let finding = find("L002").judge(&valkey, &ALL).unwrap();
        assert_eq!(
            (finding.status, &*finding.seen),
            (Status::Ok, "Valkey 8.1.0")
        );
    }

    #[test]
    fn clocks_that_differ_are_a_warning_and_then_a_failure() {
        for (clock, status) in [
            (-0.9, Status::Ok),
            (-1.1, Status::Warn),
            (61.0, Status::Fail),
        ] {
            let clock = Ok(clock);
            is("L036", &Facts { clock, ..healthy() }, &ALL, status);
        }
    }
}
