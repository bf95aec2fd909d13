//! Servers and users that refuse what managed services refuse.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use larder_store::{ErrorKind, Namespace, Prefixed, Refusal, Store};
use larder_test::server::RedisOptions;
use larder_test::{RealTimeFixture, laws};

use crate::log::Log;
use crate::support::{key, patient, put};

/// What the strictest of the services refuses.
const REFUSED: &str =
    "on >secret ~* &* +@all -client -config -wait -psubscribe -slowlog -latency -memory -object";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_laws_hold_for_a_user_whom_a_managed_service_refuses_much() {
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
            outcome.map_err(|violation| format!("{}: {violation}", law.name()))
        }
    });
    let trials: Vec<_> = stream::iter(trials).buffer_unordered(8).collect().await;
    let broken: Vec<_> = trials
        .iter()
        .filter_map(|trial| trial.as_ref().err())
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
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
    store.put(&put(1, "x")).await.unwrap();
    let said = log.read();
    for lost in [
        "the server refuses CLIENT INFO: a connection that hangs",
        "the server refuses CLIENT KILL: a connection that hangs",
        "the server refuses PSUBSCRIBE: nobody can subscribe to a whole topic",
    ] {
        assert!(said.contains(lost), "{said}");
    }
    assert!(!said.contains("EVALSHA"), "{said}");

    // Values alone need no script.
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
