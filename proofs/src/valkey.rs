//! What the proofs show on Redis, on Valkey: every law, and every proof that needs a server, for a short time.

use std::time::Duration;

use larder_test::server::RedisServer;

use crate::Choice::{Inputs, Rounds, Seconds};
use crate::{Choice, Limits, Proof, Table, conformance};

/// The proofs whose servers `REDIS_SERVER` names.
pub const ON_A_SERVER: [&str; 14] = [
    "model",
    "cancel",
    "faults",
    "leases",
    "consistency",
    "bus-loss",
    "tags",
    "write-behind",
    "locks",
    "structures",
    "queue",
    "limits",
    "sessions",
    "events",
];

/// Runs the laws and the proofs on the program that `REDIS_SERVER` names.
///
/// # Panics
/// If that is no Valkey.
#[must_use]
pub fn prove() -> Table {
    let server = RedisServer::start().expect("a valkey-server");
    let info = server.command(&["INFO", "server"]).expect("its version");
    let is_valkey = info.text().is_some_and(|it| it.contains("valkey_version"));
    assert!(is_valkey, "REDIS_SERVER names no valkey-server");
    drop(server);
    conformance::prove_on_valkey().with_more("valkey-proofs", proofs())
}

fn proofs() -> Table {
    let mut table = Table::new()
        .column("proof")
        .column("shows")
        .column("bars that it misses");
    for name in ON_A_SERVER {
        let proof = Proof::named(name).expect("one of them");
        let ran = proof.run(&short(proof));
        let missed = match ran.missed() {
            [] => "none".to_owned(),
            missed => missed.join("; "),
        };
        table.row([proof.name, proof.about, &missed]);
        for bar in ran.missed() {
            table.bar(false, || format!("{}: {bar}", proof.name));
        }
    }
    table
}

/// Returns limits that keep the proof to some seconds, where it has a choice.
fn short(proof: &Proof) -> Limits {
    let has = |choice: Choice| proof.choices.contains(&choice);
    Limits {
        inputs: has(Inputs).then_some(20_000),
        rounds: has(Rounds).then_some(20),
        time: has(Seconds).then_some(Duration::from_secs(5)),
        ..Limits::default()
    }
}
