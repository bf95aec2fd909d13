//! The short form of the proof `mutants`.

use std::fs;

use larder_proofs::{Limits, mutants};

/// The areas themselves take hours to run.
#[test]
fn every_mutant_that_no_test_catches_has_a_reason_and_each_area_reaches_the_bar() {
    let table = mutants::prove(&Limits::default());
    assert_eq!(table.missed(), [""; 0], "{table}");
}

#[test]
fn each_area_of_mutants_is_in_the_table_of_its_page_or_named_as_not_measured() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/mutants.md");
    let page = fs::read_to_string(page).unwrap();
    let table = mutants::prove(&Limits::default());
    assert!(page.contains(&table.to_string()), "run the proof: {table}");
    let (_, named) = page.split_once("\nNot measured yet: ").unwrap_or_default();
    let named = named.split("\n\n").next().unwrap_or_default();
    let measured = table.skeleton();
    for area in mutants::areas() {
        let is_measured = measured.iter().any(|row| row[0] == area);
        let is_named = named.contains(&format!("`{area}`"));
        assert_ne!(is_measured, is_named, "{area}");
    }
}
