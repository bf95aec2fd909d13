//! A sample of the app's keys.

use super::super::Context;
use super::super::facts::{Facts, KeySample};
use super::super::report::Status;
use super::super::verdict::{Outcome, above, bytes, fail_if, outcome, warn_if};
use crate::fields::Missing;

const MIB: f64 = 1024.0 * 1024.0;

/// It is logarithmic, and 255 at most.
const HOT: u64 = 200;

/// Returns the sample, which is told of one server.
fn sample(facts: &Facts) -> Result<Option<&KeySample>, Missing> {
    let sample = facts.keys.as_ref();
    sample.map(Result::as_ref).transpose().map_err(Clone::clone)
}

pub(super) fn without_ttl(facts: &Facts, _: &Context) -> Outcome {
    let Some(sample) = sample(facts)? else {
        return Ok(None);
    };
    let (keys, without) = (sample.keys, sample.without_ttl);
    outcome(
        fail_if(without > 0),
        format!("{without} of a sample of {keys} keys"),
    )
}

pub(super) fn large(facts: &Facts, _: &Context) -> Outcome {
    let Some(sample) = sample(facts)? else {
        return Ok(None);
    };
    match (sample.largest, sample.keys) {
        (Some(largest), keys) => {
            let largest = largest as f64;
            let seen = format!("{} at most in a sample of {keys} keys", bytes(largest));
            outcome(above(largest, MIB, 16.0 * MIB), seen)
        }
        (None, 0) => outcome(Status::Ok, "no key yet"),
        (None, _) => Err(Missing::new(
            "not permitted here: this user may not run MEMORY USAGE",
        )),
    }
}

pub(super) fn hot(facts: &Facts, _: &Context) -> Outcome {
    let uses = match sample(facts)? {
        Some(sample) => &sample.hottest,
        None => return Ok(None),
    };
    let Some(uses) = uses else {
        // Without an lfu policy the server does not count.
        return Ok(None);
    };
    let highest = *uses.as_ref().map_err(Clone::clone)?;
    outcome(
        warn_if(highest >= HOT),
        format!("a counter of {highest} at most"),
    )
}
