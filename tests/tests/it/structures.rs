//! The short form of the proof `structures`.

use larder_proofs::structures::{How, blob, counter, ledger};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counter_is_between_what_was_acknowledged_and_what_may_have_run() {
    let report = counter::run(How::Structure, 24).await;
    assert_eq!(report.wrong, [""; 0]);
    assert!(report.answered > 24 && report.lost > 0, "{report:?}");
    let report = counter::run(How::ByHand, 24).await;
    assert!(
        !report.wrong.is_empty(),
        "an addition that is sent again is noticed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sum_of_a_ledger_is_constant_though_its_replies_are_cut() {
    let report = ledger::run(How::Structure, 24).await;
    assert_eq!(report.wrong, [""; 0]);
    assert!(report.answered > 24 && report.lost > 0, "{report:?}");
    let report = ledger::run(How::ByHand, 24).await;
    assert!(
        !report.wrong.is_empty(),
        "a transfer in two steps is noticed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_blob_is_torn_though_its_writers_are_cut_off() {
    let report = blob::run(How::Structure, 24).await;
    assert_eq!(report.wrong, [""; 0]);
    assert!(report.answered > 24, "{report:?}");
    let report = blob::run(How::ByHand, 24).await;
    assert!(
        !report.wrong.is_empty(),
        "chunks that are overwritten in place are noticed"
    );
}
