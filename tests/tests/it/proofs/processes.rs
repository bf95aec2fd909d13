//! Processes that proofs start.

use larder_proofs::process::Worker;

#[test]
#[should_panic(expected = "had ended before")]
fn a_process_that_ended_by_itself_is_not_counted_as_killed() {
    // The test program does not know this word, and ends.
    let mut worker = Worker::<String>::start("no-worker", &"no work");
    while !worker.has_ended() {
        std::thread::yield_now();
    }
    worker.kill();
}
