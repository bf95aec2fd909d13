//! The short form of the proof `mutants`.

use larder_proofs::{Limits, mutants};

/// The areas themselves take hours to run.
#[test]
fn every_mutant_that_no_test_catches_has_a_reason_and_each_area_reaches_the_bar() {
    let table = mutants::prove(&Limits::default());
    assert_eq!(table.missed(), [""; 0], "{table}");
}
