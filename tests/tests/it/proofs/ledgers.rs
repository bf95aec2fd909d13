//! The ledgers of mutants, and the names in them.

use larder_proofs::mutants::names::{escaped, without_place};
use larder_proofs::mutants::{Ledger, Outcome, Shard};

fn outcome(survivors: &[(&str, &str)]) -> Outcome {
    let owned = |(name, why): &(&str, &str)| ((*name).to_owned(), (*why).to_owned());
    Outcome {
        mutants: 9,
        caught: 6,
        unviable: 1,
        survivors: survivors.iter().map(owned).collect(),
    }
}

#[test]
fn a_ledger_is_read_as_it_was_written() {
    let mut ledger = Ledger::default();
    let survivors = [
        ("a.rs: replace == with != in f", "why"),
        ("a.rs: replace g", ""),
    ];
    ledger.note(Shard { at: 1, of: 2 }, outcome(&survivors));
    ledger.note(Shard { at: 2, of: 2 }, outcome(&[]));
    assert_eq!(Ledger::parse(&ledger.text()), Ok(ledger));
}

#[test]
fn a_reason_stays_with_its_mutant_and_other_shards_are_forgotten() {
    let mut ledger = Ledger::default();
    ledger.note(Shard::WHOLE, outcome(&[("f", "why")]));
    ledger.note(Shard { at: 2, of: 3 }, outcome(&[("f", ""), ("f", "")]));
    let sum = ledger.sum();
    assert_eq!(sum, outcome(&[("f", ""), ("f", "why")]));
}

#[test]
fn a_mutant_is_named_without_its_place_and_sought_by_its_whole_name() {
    let name = "a/b.rs:3:14: replace <impl Trait for T<'_>>::f -> Option<&str> with Some(\"\")";
    let short = "a/b.rs: replace <impl Trait for T<'_>>::f -> Option<&str> with Some(\"\")";
    assert_eq!(without_place(name), short);
    let escaped = escaped("f(x) + [1] || *y");
    assert_eq!(escaped, r"f\(x\) \+ \[1\] \|\| \*y");
}
