//! The comparison of fences that two stores number each for itself.

use larder_proofs::model::{Both, Fences, Id, Shown};
use larder_store::Timestamp;
use larder_store::lease::Fence;

const ID: Id = Id::Value(1);
const OTHER: Id = Id::Value(2);

fn both(model: u64, store: u64) -> Both {
    Both {
        model: Fence::from_u64(model),
        store: Fence::from_u64(store),
    }
}

#[test]
fn fences_may_differ_in_their_numbers_and_not_in_their_order() {
    let mut fences = Fences::default();
    assert!(fences.grant(ID, both(10, 100), None));
    assert!(fences.grant(OTHER, both(10, 7), None));
    assert!(fences.grant(ID, both(11, 900), None));
    assert!(!fences.grant(ID, both(12, 900), None));
    assert!(!fences.grant(ID, both(13, 99), None));
}

#[test]
fn a_fence_behind_the_clock_is_noticed() {
    let now = Some(Timestamp::from_micros(10));
    assert!(Fences::default().grant(ID, both(10, 11), now));
    assert!(!Fences::default().grant(ID, both(10, 9), now));
    assert!(Fences::default().grant(ID, both(10, 9), None));
}

#[test]
fn the_fence_of_another_key_is_never_one_that_holds_this_one() {
    let mut fences = Fences::default();
    fences.grant(ID, both(10, 100), None);
    for (other, shown) in [((10, 101), 7), ((9, 100), 7), ((11, 101), 11)] {
        fences.grant(OTHER, both(other.0, other.1), None);
        let shown_now = fences.shown(ID, Shown::OfOther(OTHER)).model.as_u64();
        assert_eq!(shown_now, shown);
    }
}
