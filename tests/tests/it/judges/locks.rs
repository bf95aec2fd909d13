//! The judge of the histories of locks.

use larder_proofs::leases::{Event, What};
use larder_proofs::locks::checker::violations;

fn at(began: u64, what: What) -> Event {
    from_to(began, began + 5, what)
}

fn from_to(began: u64, ended: u64, what: What) -> Event {
    Event {
        key: 3,
        began,
        ended,
        what,
    }
}

#[test]
fn a_history_of_one_after_the_other_is_allowed() {
    let history = [
        at(0, What::Lead(10)),
        at(10, What::Commit(10)),
        at(15, What::Read(10)),
        at(20, What::Release(10)),
        // At the same time as the release.
        at(22, What::Lead(11)),
        at(40, What::Lead(12)),
        at(50, What::Commit(12)),
        at(60, What::Refused(11)),
        at(70, What::Lost(13)),
        // At the same time, and then what the lost put has written.
        at(72, What::Read(12)),
        at(80, What::Read(13)),
        at(80, What::Release(12)),
    ];
    assert_eq!(violations(&history), [""; 0]);
}

#[test]
fn what_locks_forbid_is_found() {
    let twice = vec![at(0, What::Lead(10)), at(2, What::Lead(10))];
    assert_eq!(violations(&twice).len(), 2);
    for (history, what) in [
        (
            vec![at(0, What::Lead(11)), at(10, What::Lead(10))],
            "given after 11",
        ),
        (
            vec![at(0, What::Commit(11)), at(10, What::Commit(10))],
            "stale fence 10",
        ),
        (
            vec![
                at(0, What::Lost(11)),
                at(10, What::Read(11)),
                at(20, What::Commit(10)),
            ],
            "stale fence 10",
        ),
        (
            vec![
                at(0, What::Commit(11)),
                at(10, What::Refused(10)),
                at(20, What::Read(10)),
            ],
            "fence 10 was read after 11",
        ),
        (
            vec![
                at(0, What::Commit(11)),
                at(10, What::Lost(10)),
                at(20, What::Read(10)),
            ],
            "fence 10 was read after 11",
        ),
        (
            vec![
                at(0, What::Commit(9)),
                at(10, What::Refused(10)),
                at(20, What::Read(10)),
            ],
            "no put of it may have written",
        ),
        (vec![at(0, What::Read(10))], "no put of it may have written"),
        (
            vec![
                at(0, What::Lead(10)),
                at(10, What::Lead(11)),
                at(20, What::Release(10)),
            ],
            "while 10 was held",
        ),
        (vec![at(0, What::Release(10))], "never given"),
        (
            // It has waited since before the holder came.
            vec![
                from_to(0, 10, What::Lead(10)),
                from_to(1, 20, What::Lead(11)),
                at(30, What::Release(10)),
            ],
            "fence 11 was given while 10 was held",
        ),
    ] {
        let found = violations(&history);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(what), "{found:?}");
    }
}
