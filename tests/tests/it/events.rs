//! The short form of the proof `events`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_proofs::events::work::{consume, consume_by_loop, produce};
use larder_proofs::queue::checker::judge;
use larder_proofs::queue::work::{Sink, Stop};
use larder_proofs::queue::{Contender, durable_server, strike_server};

const STRIKES: u32 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_group_loses_an_event_or_takes_a_stale_ack_though_a_plain_ack_does() {
    for contender in [Contender::Fenced, Contender::Unfenced] {
        let mut server = durable_server();
        let (url, history) = (server.url(), Arc::new(Mutex::new(Vec::new())));
        let noted = history.clone();
        let sink: Sink = Arc::new(move |event| noted.lock().unwrap().push(event));
        let (added, handled) = (Stop::default(), Stop::default());
        let producer = produce(&url, 1, added.clone(), sink.clone());
        let one = consume(&url, 2, contender, handled.clone(), sink.clone());
        let other = consume(&url, 3, contender, handled.clone(), sink.clone());
        let by_loop = async {
            if contender == Contender::Fenced {
                consume_by_loop(&url, handled.clone(), sink.clone()).await;
            }
        };
        let strikes = async {
            for strike in 0..STRIKES {
                tokio::time::sleep(Duration::from_millis(600)).await;
                // While they wait for the server they do nothing else.
                tokio::task::block_in_place(|| {
                    strike_server(&mut server, strike % 2 == 0, Duration::from_millis(300));
                });
            }
            added.tell();
            tokio::time::sleep(Duration::from_millis(200)).await;
            handled.tell();
        };
        tokio::join!(producer, one, other, by_loop, strikes);
        let found = judge(&history.lock().unwrap());
        assert!(found.acked > 20, "{found:?}");
        assert!(found.lost.is_empty(), "{found:?}");
        assert_eq!(
            found.is_clean(),
            contender == Contender::Fenced,
            "{found:?}"
        );
    }
}
