//! The short form of the second part of the proof `cancel`.

use larder_proofs::damage::{Damage, Reader, on_redis};

const READS: u64 = 20_000;

#[test]
fn replies_that_are_cut_sliced_and_slow_are_never_wrong() {
    let tally = on_redis(Reader::Store, Damage::Torn, READS, 7);
    assert_eq!(tally.wrong(), 0);
    assert!(
        tally.right() > 1_000 && tally.connections() > 8,
        "{tally:?}"
    );
}

#[test]
fn a_cache_gives_no_value_that_was_damaged_on_its_way() {
    let tally = on_redis(Reader::Cache, Damage::Flipped, READS, 7);
    assert_eq!(tally.wrong(), 0);
    assert!(tally.right() > 1_000 && tally.corrupted() > 10, "{tally:?}");
}

/// What the envelope of the cache is for: the protocol of Redis has no checksum.
#[test]
fn without_an_envelope_damage_is_not_seen() {
    let tally = on_redis(Reader::Store, Damage::Flipped, READS, 7);
    assert!(tally.wrong() > 0, "{tally:?}");
}
