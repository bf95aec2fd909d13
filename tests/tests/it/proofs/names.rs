//! The proofs by their names.

use std::time::Duration;

use larder_proofs::valkey::ON_A_SERVER;
use larder_proofs::{Choice, Limits, PROOFS, Proof, proofs_with};

#[test]
fn what_a_proof_does_not_know_is_refused() {
    let limits = Limits {
        time: Some(Duration::from_secs(1)),
        ..Limits::default()
    };
    for proof in PROOFS {
        let knows = proofs_with(Choice::Seconds).any(|name| name == proof.name);
        assert_eq!(proof.check(&limits).is_ok(), knows, "{}", proof.name);
        assert_eq!(proof.check(&Limits::default()), Ok(()));
    }
    let leases = Proof::named("leases");
    let error = leases.expect("one of them").check(&limits).unwrap_err();
    assert!(
        error.starts_with("--seconds means nothing to leases: it is for consistency, "),
        "{error}"
    );
}

#[test]
fn all_of_them_run_every_week() {
    let weekly = include_str!("../../../../.github/workflows/proofs.yml");
    let (_, matrix) = weekly.split_once("proof: [").expect("a list of proofs");
    let (matrix, _) = matrix.split_once(']').expect("its end");
    let named: Vec<_> = matrix.split(',').map(str::trim).collect();
    let proofs: Vec<_> = PROOFS.iter().map(|proof| proof.name).collect();
    assert_eq!(named, proofs);
}

#[test]
fn each_name_is_that_of_a_proof() {
    for name in ON_A_SERVER {
        assert!(Proof::named(name).is_some(), "{name}");
    }
}
