//! The short form of the proof `write-behind`: runtimes are shut down in place of processes.

use larder_proofs::write_behind::checker::Findings;
use larder_proofs::write_behind::round::play;
use larder_proofs::write_behind::start;
use larder_proofs::write_behind::victim::Tasks;
use larder_proofs::write_behind::worker::Acknowledges;

#[test]
fn no_acknowledged_write_is_lost_when_its_process_and_the_server_die() {
    let (mut servers, mut found) = (start(), Findings::default());
    for round in 0..2 {
        let acknowledges = Acknowledges::InTheJournal;
        found.add(&play(&mut servers, acknowledges, round, Tasks::start));
    }
    assert!(found.acknowledged > 20 && found.left > 0, "{found:?}");
    assert_eq!((found.lost, found.disordered), (0, 0), "{found:?}");
}

#[test]
fn writes_that_were_acknowledged_before_the_journal_had_them_are_noticed() {
    let mut servers = start();
    let acknowledges = Acknowledges::BeforeTheJournal;
    let found = play(&mut servers, acknowledges, 1, Tasks::start);
    assert!(found.lost > 0, "{found:?}");
}
