//! The judge of the histories of caches.

use std::time::Duration;

use larder_proofs::consistency::checker::judge;
use larder_proofs::consistency::{Event, What};

fn event(process: u32, began: u64, what: What) -> Event {
    Event {
        process,
        key: 3,
        began,
        ended: began + 5,
        what,
    }
}

#[test]
fn what_overlaps_an_invalidation_is_not_stale_and_what_follows_it_is() {
    let history = [
        event(0, 0, What::Read(1)),
        event(1, 10, What::Invalidated(2)),
        // It begins before the invalidation is acknowledged.
        event(0, 14, What::Read(1)),
        event(0, 20, What::Read(2)),
    ];
    assert_eq!(judge(&history).stale, 0);
    let history = [&history[..], &[event(0, 16, What::Read(1))]].concat();
    let found = judge(&history);
    assert_eq!((found.stale, found.stale_at_home), (1, 0));
    assert_eq!(found.longest, Duration::from_micros(1));
}

#[test]
fn staleness_counts_from_the_first_invalidation_that_ended_the_version() {
    let history = [
        event(0, 10, What::Invalidated(2)),
        event(1, 100, What::Invalidated(5)),
        // Spurious: the source had an earlier version when it began.
        event(1, 200, What::Invalidated(3)),
        event(1, 1_000, What::Read(1)),
        event(1, 1_000, What::Read(4)),
        event(1, 1_000, What::Read(5)),
    ];
    let found = judge(&history);
    assert_eq!((found.reads, found.invalidations), (3, 3));
    assert_eq!((found.stale, found.stale_at_home), (2, 2));
    assert_eq!(found.longest, Duration::from_micros(1_000 - 15));
}

#[test]
fn a_version_that_the_source_had_not_is_invented() {
    let mut other = event(0, 0, What::Changed(7));
    other.key = 4;
    let history = [
        other,
        event(0, 10, What::Changed(1)),
        // A put whose answer was lost is sent again.
        event(0, 30, What::Changed(1)),
        event(1, 8, What::Read(1)),
        event(1, 8, What::Read(0)),
    ];
    assert_eq!(judge(&history).invented, 0);
    for read in [event(1, 2, What::Read(1)), event(1, 90, What::Read(7))] {
        let history = [&history[..], &[read]].concat();
        assert_eq!(judge(&history).invented, 1, "{read:?}");
    }
}

#[test]
fn keys_are_judged_each_for_itself() {
    let mut other = event(0, 10, What::Invalidated(9));
    other.key = 4;
    assert_eq!(judge(&[other, event(0, 100, What::Read(1))]).stale, 0);
}
