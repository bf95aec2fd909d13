//! The judge of the histories of queues.

use larder_proofs::queue::checker::judge;
use larder_proofs::queue::{Event, What};

fn at(began: u64, what: What) -> Event {
    Event {
        job: "a".to_owned(),
        began,
        ended: began + 5,
        what,
    }
}

fn taken(attempt: u32, fence: u64) -> What {
    What::Taken { attempt, fence }
}

#[test]
fn a_job_that_is_taken_again_and_acked_once_is_allowed() {
    let history = [
        at(0, What::Enqueued),
        at(10, taken(1, 100)),
        at(20, taken(3, 300)),
        at(30, What::Worked(100)),
        at(30, What::Sent(100)),
        at(31, What::Refused(100)),
        at(40, What::Worked(300)),
        at(40, What::Sent(300)),
        at(41, What::Acked(300)),
    ];
    let found = judge(&history);
    assert!(found.is_clean(), "{found:?}");
    assert_eq!((found.enqueued, found.taken, found.acked), (1, 2, 1));
}

#[test]
fn what_a_queue_must_not_do_is_found() {
    let lost = judge(&[at(0, What::Enqueued), at(10, taken(1, 100))]);
    assert_eq!(lost.lost, ["a"]);
    let stale = judge(&[
        at(0, taken(1, 100)),
        at(10, taken(2, 200)),
        at(20, What::Acked(100)),
    ]);
    assert_eq!(stale.stale.len(), 1, "{stale:?}");
    let twice = judge(&[at(0, What::Acked(100)), at(20, What::Acked(100))]);
    assert_eq!(twice.acked_twice.len(), 1, "{twice:?}");
    let again = judge(&[
        at(0, taken(1, 100)),
        at(10, What::Acked(100)),
        at(20, taken(2, 200)),
    ]);
    assert_eq!(again.revived.len(), 1, "{again:?}");
    let shared = judge(&[at(0, taken(1, 100)), at(10, taken(2, 100))]);
    assert_eq!(shared.miscounted.len(), 1, "{shared:?}");
    for second in [1, 0] {
        let history = [at(0, taken(1, 100)), at(10, taken(second, 200))];
        assert_eq!(judge(&history).miscounted.len(), 1);
    }
    assert!(!lost.is_clean() && !stale.is_clean() && !twice.is_clean() && !again.is_clean());
}

#[test]
fn a_job_that_is_gone_was_acked_or_may_have_been() {
    let worked = [
        at(0, What::Enqueued),
        at(10, taken(1, 100)),
        at(20, What::Worked(100)),
    ];
    let of = |more: &[Event]| judge(&[&worked[..], more].concat()).vanished;
    // Its consumer was killed before the ack, and the queue has dropped the job with the lease.
    assert_eq!(of(&[]), ["a"]);
    // A refused ack has ended the job all the same.
    let refused = [at(30, What::Sent(100)), at(31, What::Refused(100))];
    assert_eq!(of(&refused), ["a"]);
    // Its consumer was killed beside the ack.
    assert_eq!(of(&refused[..1]), [""; 0]);
    // The first request has ended it, and the second is too late.
    let lost = [at(30, What::Sent(100)), at(31, What::Lost(100))];
    let again = lost.iter().cloned().chain(refused);
    assert_eq!(of(&again.collect::<Vec<_>>()), [""; 0]);
}
