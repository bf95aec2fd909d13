//! A sample of the app's keys.

use super::super::Context;
use super::super::facts::{Facts, KeySample};
use super::super::report::Status;
use super::super::verdict::{Outcome, above, bytes, fail_if, outcome, warn_if};
use crate::fields::Missing;

const MIB: f64 = 1024.0 * 1024.0;

/// The counter of uses from which a key is hot. It is logarithmic, and 255 at most.
const HOT: u64 = 200;

/// Returns the sample, which is attributed to one server.
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
    let Some(sample) = sample(facts)? else {
        return Ok(None);
    };
    match (sample.hottest, &sample.uses_missing) {
        (Some(highest), missing) if highest >= HOT || missing.is_none() => outcome(
            warn_if(highest >= HOT),
            format!("a counter of {highest} at most"),
        ),
        (_, Some(missing)) => Err(missing.clone()),
        // Without an LFU policy the server does not count accesses.
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use larder_store::program::Wire;

    use super::super::tests::{ALL, find, healthy, is};
    use super::*;

    #[test]
    fn keys_are_judged_by_their_ttl_and_size() {
        let of = |without_ttl, largest| Facts {
            keys: Some(Ok(KeySample {
                keys: 9,
                without_ttl,
                largest,
                ..KeySample::default()
            })),
            ..healthy()
        };
        is("L013", &of(1, Some(1)), &ALL, Status::Fail);
        is("L037", &of(0, Some(2 << 20)), &ALL, Status::Warn);
        is("L037", &of(0, Some(17 << 20)), &ALL, Status::Fail);
        is("L037", &of(0, None), &ALL, Status::Unknown);
    }

    #[test]
    fn a_hot_key_is_found_whatever_the_answer_about_another_key_is() {
        let judged = |answers: Vec<Result<i64, Missing>>, status| {
            let mut sample = KeySample::default();
            for uses in answers {
                sample.note_uses(uses.map(Wire::Int));
            }
            let facts = Facts {
                keys: Some(Ok(sample)),
                ..healthy()
            };
            is("L038", &facts, &ALL, status);
        };
        let unread = || Err(Missing::new("no"));
        judged(vec![Ok(250), unread(), Ok(3)], Status::Warn);
        judged(vec![unread(), Ok(250), Ok(3)], Status::Warn);
        // The key that was not read may be the hottest.
        judged(vec![Ok(3), unread(), Ok(4)], Status::Unknown);
        judged(vec![unread(), Ok(3)], Status::Unknown);
        judged(vec![Ok(3), Ok(4)], Status::Ok);
    }

    #[test]
    fn a_hot_key_is_a_warning_and_a_server_that_does_not_count_has_no_finding() {
        let with = |hottest, uses_missing| {
            let sample = KeySample {
                keys: 9,
                hottest,
                uses_missing,
                ..KeySample::default()
            };
            Facts {
                keys: Some(Ok(sample)),
                ..healthy()
            }
        };
        is("L038", &with(Some(200), None), &ALL, Status::Warn);
        is("L038", &with(Some(199), None), &ALL, Status::Ok);
        let missing = Some(Missing::new("no"));
        is("L038", &with(None, missing), &ALL, Status::Unknown);
        assert!(find("L038").judge(&with(None, None), &ALL).is_none());
    }
}
