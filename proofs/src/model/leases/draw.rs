use proptest::collection::vec;
use proptest::prelude::*;

use super::fences::Shown;
use super::operation::LeaseOperation;
use crate::model::arguments::Id;
use crate::model::draw::{id, short, value, write};
use crate::model::time::Time;

/// Keys are those of the plain operations.
pub(crate) fn operation(time: Time) -> impl Strategy<Value = LeaseOperation> {
    let claim = (id(), short(time), proptest::option::of(0..3_usize));
    prop_oneof![
        6 => claim.prop_map(|(id, hold, seen)| LeaseOperation::Claim(id, hold, seen)),
        5 => (write(time), shown()).prop_map(|(write, shown)| LeaseOperation::Commit(write, shown)),
        3 => (id(), shown(), short(time))
            .prop_map(|(id, shown, hold)| LeaseOperation::Renew(id, shown, hold)),
        2 => (id(), shown()).prop_map(|(id, shown)| LeaseOperation::Abandon(id, shown)),
        2 => id().prop_map(LeaseOperation::Invalidate),
        2 => vec(id(), 0..6).prop_map(LeaseOperation::InvalidateMany),
        1 => (id(), 0..2_u64).prop_map(|(id, millis)| LeaseOperation::Follow(id, millis)),
    ]
}

fn shown() -> impl Strategy<Value = Shown> {
    prop_oneof![
        8 => Just(Shown::Granted(0)),
        3 => (1..3_usize).prop_map(Shown::Granted),
        2 => value().prop_map(|other| Shown::OfOther(Id::Value(other))),
        1 => Just(Shown::Above),
        1 => Just(Shown::Below),
        1 => prop_oneof![Just(0), Just(1), Just(1 << 52), Just(u64::MAX)].prop_map(Shown::MadeUp),
    ]
}
