use fastrand::Rng;
use larder_store::Ttl;
use larder_test::trace::{Step, after};

use super::span;
use crate::everyone_record::{EndEveryone, ReadEveryone};

/// Any program on the sessions of all users.
pub(super) fn next(rng: &mut Rng) -> Box<dyn Step> {
    match rng.bool() {
        true => after(ReadEveryone, Vec::new()),
        false => {
            let ttl = Ttl::covering_micros(span(rng));
            after(EndEveryone { ttl }, vec![ttl.as_micros()])
        }
    }
}
