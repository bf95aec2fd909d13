//! The short form of the proof `cancel`.

use larder_proofs::cancel;

#[test]
fn no_reply_belongs_to_another_key_whoever_goes_away() {
    let tally = cancel::on_redis(20_000, 7);
    assert_eq!(tally.wrong(), 0);
    assert!(
        tally.answered() > 1_000 && tally.dropped() > 1_000,
        "{tally:?}"
    );
}
