//! The judge of the histories of leases.

use larder_proofs::leases::checker::violations;
use larder_proofs::leases::{Event, What};

fn at(began: u64, what: What) -> Event {
    let ended = began + 5;
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
        at(20, What::Read(10)),
        at(30, What::Lead(11)),
        // At the same time as the next lead.
        at(40, What::Lead(12)),
        at(42, What::Commit(11)),
        at(60, What::Refused(11)),
        at(70, What::Lost(12)),
        at(80, What::Invalidate),
        at(90, What::Lead(13)),
        at(100, What::Commit(13)),
    ];
    assert_eq!(violations(&history), [""; 0]);
}

#[test]
fn what_leases_forbid_is_found() {
    for (history, what) in [
        (
            vec![at(0, What::Lead(10)), at(10, What::Lead(10))],
            "granted after",
        ),
        (
            vec![
                at(0, What::Lead(10)),
                at(10, What::Lead(11)),
                at(20, What::Commit(10)),
            ],
            "committed after 11",
        ),
        (
            vec![
                at(0, What::Lead(10)),
                at(10, What::Invalidate),
                at(20, What::Commit(10)),
            ],
            "after an invalidation",
        ),
        (
            vec![
                at(0, What::Lead(10)),
                at(10, What::Lead(11)),
                at(15, What::Lost(11)),
                at(20, What::Read(11)),
                at(30, What::Read(10)),
            ],
            "was read after",
        ),
        (
            vec![
                at(0, What::Lead(10)),
                at(10, What::Commit(10)),
                at(20, What::Invalidate),
                at(30, What::Read(10)),
            ],
            "was read after an invalidation",
        ),
        (
            vec![
                at(0, What::Lead(10)),
                at(10, What::Lead(11)),
                at(20, What::Refused(10)),
                at(30, What::Read(10)),
            ],
            "was read although its commit was refused",
        ),
        (
            vec![
                at(0, What::Lead(10)),
                at(10, What::Lead(11)),
                at(20, What::Lost(10)),
                at(30, What::Read(10)),
            ],
            "committed after 11 was granted",
        ),
        (
            vec![at(0, What::Lead(10)), at(10, What::Read(10))],
            "no commit of it was sent",
        ),
    ] {
        let found = violations(&history);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(what), "{found:?}");
    }
    let beside = [at(0, What::Lead(10)), at(2, What::Lead(10))];
    let found = violations(&beside);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("answered 2 times"), "{found:?}");
}
