//! The short form of the proof `queue`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_proofs::queue::checker::judge;
use larder_proofs::queue::work::{Sink, Stop, consume, consume_by_worker, produce};
use larder_proofs::queue::{Contender, Event, durable_server, strike_server};
use tokio::task::JoinSet;

/// Server kills and pauses, with a worker that dies between two of them.
const ROUNDS: u64 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_acknowledged_job_is_lost_and_no_stale_ack_is_accepted_unless_the_fence_is_off() {
    for contender in [Contender::Fenced, Contender::Unfenced] {
        let history = run(contender).await;
        let found = judge(&history);
        assert!(found.acked > 20 && found.taken_again > 2, "{found:?}");
        assert_eq!(
            found.is_clean(),
            contender == Contender::Fenced,
            "{found:?}"
        );
        assert_eq!(found.lost, [""; 0]);
    }
}

async fn run(contender: Contender) -> Vec<Event> {
    let server = Arc::new(Mutex::new(durable_server()));
    let url = server.lock().unwrap().url();
    let history = Arc::new(Mutex::new(Vec::new()));
    let noted = history.clone();
    let sink: Sink = Arc::new(move |event| noted.lock().unwrap().push(event));
    let (added, done) = (Stop::default(), Stop::default());
    let consumer = |seed| {
        let (url, done, sink) = (url.clone(), done.clone(), sink.clone());
        async move { consume(&url, seed, contender, done, sink).await }
    };
    let producer = {
        let (url, added, sink) = (url.clone(), added.clone(), sink.clone());
        tokio::spawn(async move { produce(&url, 1, added, sink).await })
    };
    let mut consumers = JoinSet::new();
    consumers.spawn(consumer(2));
    if contender == Contender::Fenced {
        let (url, done, sink) = (url.clone(), done.clone(), sink.clone());
        consumers.spawn(async move { consume_by_worker(&url, done, sink).await });
    }
    for round in 0..ROUNDS {
        // It is dropped with all that it holds, as if it was killed.
        let dies = consumers.spawn(consumer(10 + round));
        let server = server.clone();
        let strike = move || {
            std::thread::sleep(Duration::from_millis(400));
            let moment = Duration::from_millis(150);
            strike_server(&mut server.lock().unwrap(), round % 4 == 1, moment);
        };
        tokio::task::spawn_blocking(strike).await.unwrap();
        if round + 1 < ROUNDS {
            dies.abort();
        }
    }
    added.tell();
    producer.await.unwrap();
    done.tell();
    while let Some(ended) = consumers.join_next().await {
        assert!(ended.is_ok() || ended.is_err_and(|error| error.is_cancelled()));
    }
    let history = history.lock().unwrap();
    history.clone()
}
