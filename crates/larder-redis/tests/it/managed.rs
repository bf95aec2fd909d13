//! Servers and users without the commands that managed services refuse.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use larder_store::{ErrorKind, Namespace, Prefixed, Refusal, Store};
use larder_test::server::RedisOptions;
use larder_test::{RealTimeFixture, laws};

use crate::log::Log;
use crate::support::{key, patient, put};

/// The commands that the strictest service refuses.
const REFUSED: &str =
    "on >secret ~* &* +@all -client -config -wait -psubscribe -slowlog -latency -memory -object";

/// The laws that subscribe to a whole topic, which needs PSUBSCRIBE.
const WHOLE_TOPICS: &[&str] = &[
    "a_channel_of_a_requested_topic_delivers_once",
    "a_full_buffer_gives_one_gap_in_its_place",
    "a_slow_subscription_costs_others_no_messages",
    "a_topic_delivers_from_all_its_channels",
    "a_topic_does_not_deliver_from_a_similar_one",
    "messages_of_a_publisher_keep_their_order",
    "namespaces_get_no_messages_of_each_other",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_law_but_those_of_whole_topics_holds_for_a_user_of_a_managed_service() {
    let server = RedisOptions::new()
        .with_user("app", REFUSED)
        .start()
        .unwrap();
    let store = patient(&server.url_as("app", "secret"))
        .connect()
        .await
        .unwrap();
    let store = Arc::new(store);
    let trials = laws::LAWS.iter().enumerate().map(|(number, law)| {
        let namespace = Namespace::new("laws", &number.to_string()).unwrap();
        let store: Arc<dyn Store> = Arc::new(Prefixed::new(namespace, store.clone()));
        async move {
            let fixture = RealTimeFixture::new(store);
            let outcome = law.check(&fixture, Duration::from_secs(60)).await;
            (law.name(), outcome)
        }
    });
    let trials: Vec<_> = stream::iter(trials).buffer_unordered(8).collect().await;
    for (name, outcome) in &trials {
        match (WHOLE_TOPICS.contains(name), outcome) {
            (false, Ok(())) => {}
            (true, Err(refused)) => {
                let text = refused.to_string();
                assert!(
                    text.contains("subscribe: refused, not permitted"),
                    "{name}: {text}"
                );
            }
            (_, outcome) => panic!("{name}: {outcome:?}"),
        }
    }
    assert!(trials.len() > 60, "{}", trials.len());
}

#[tokio::test]
async fn a_server_that_runs_no_scripts_is_refused_when_connecting_in_those_words() {
    let server = RedisOptions::new()
        .with_setting("rename-command", "EVALSHA \"\"")
        .with_setting("rename-command", "EVAL \"\"")
        .start()
        .unwrap();
    let error = patient(&server.url()).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Denied));
    let text = error.to_string();
    assert!(text.contains("runs no scripts (EVALSHA)"), "{text}");
    assert!(text.contains(&server.url()), "{text}");
}

#[tokio::test]
async fn a_store_says_when_connecting_which_features_are_lost_and_goes_on() {
    let (log, _logging) = Log::open();
    let server = RedisOptions::new()
        .with_user("app", REFUSED)
        .with_user("plain", "on >secret ~* +@read +@write +@connection +info")
        .with_setting("rename-command", "PSUBSCRIBE \"\"")
        .start()
        .unwrap();
    let store = patient(&server.url_as("app", "secret"))
        .connect()
        .await
        .unwrap();
    let stored = store.put(&put(1, "x")).await.unwrap();
    assert_eq!(stored, larder_store::PutOutcome::Stored);
    let said = log.read();
    for lost in [
        "the server refuses CLIENT INFO: hung connections",
        "the server refuses CLIENT KILL: hung connections",
        "the server refuses PSUBSCRIBE: subscribing to a whole topic fails",
    ] {
        assert!(said.contains(lost), "{said}");
    }
    assert!(!said.contains("EVALSHA"), "{said}");

    // Without scripts, only values work.
    let store = patient(&server.url_as("plain", "secret"))
        .connect()
        .await
        .unwrap();
    store.get(&key(1)).await.unwrap();
    let said = log.read();
    assert!(
        said.contains("may not run EVALSHA: limits, sessions"),
        "{said}"
    );
}

#[tokio::test]
async fn nothing_is_logged_of_a_server_that_refuses_nothing() {
    let (log, _logging) = Log::open();
    let server = RedisOptions::new().start().unwrap();
    let _store = patient(&server.url()).connect().await.unwrap();
    assert!(!log.read().contains("refuses"), "{}", log.read());
}
