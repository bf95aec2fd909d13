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
