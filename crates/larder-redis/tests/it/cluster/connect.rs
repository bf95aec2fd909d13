use std::net::TcpListener;
use std::time::Duration;

use larder_redis::RedisStore;
use larder_store::{ErrorKind, Refusal, Store};
use larder_test::server::{ClusterOptions, RedisOptions};

use super::fake::Fake;
use super::{SHARED, fresh};
use crate::support::{key, ok, patient, put, server, until};

async fn refused(url: &str) -> (ErrorKind, String) {
    let builder = RedisStore::builder(url).with_connect_timeout(Duration::from_millis(1500));
    match builder.connect().await {
        Ok(store) => panic!("connected: {store:?}"),
        Err(error) => (error.kind(), error.to_string()),
    }
}

/// Returns a port on which no server listens.
pub(crate) fn deserted() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test]
async fn seeds_that_do_not_answer_or_are_not_in_a_cluster_are_skipped() {
    let stranger = server();
    // It accepts connections, but does not answer.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let node = SHARED.nodes()[5].port();
    let url = format!(
        "redis+cluster://127.0.0.1:{},{},{},127.0.0.1:{node}",
        deserted(),
        silent.local_addr().unwrap(),
        stranger.address(),
    );
    let store = patient(&url).connect().await.unwrap();
    assert!(store.put(&put(fresh(), "x")).await.unwrap().is_stored());
    assert_eq!(store.location(), url);
}

#[tokio::test]
async fn a_master_may_take_longer_to_greet_than_an_operation_may() {
    let node = Fake::start();
    node.greets_after(150);
    let store = RedisStore::builder(&node.url())
        .with_timeout(Duration::from_millis(100))
        .with_connect_timeout(Duration::from_secs(2));
    store.connect().await.unwrap();
}

#[tokio::test]
async fn a_master_has_the_whole_connect_timeout_however_long_its_seed_took() {
    let (seed, master) = (Fake::start(), Fake::start());
    seed.says(&[(0, 16_383, master.port())]);
    // A seed greets twice.
    seed.greets_after(300);
    master.greets_after(500);
    let store = patient(&seed.url()).with_connect_timeout(Duration::from_secs(1));
    store.connect().await.unwrap();
}

#[tokio::test]
async fn one_server_is_not_a_cluster_and_a_node_of_a_cluster_is_not_one_server() {
    let server = server();
    let address = server.address();
    let (kind, text) = refused(&format!("redis+cluster://{address}")).await;
    assert_eq!(kind, ErrorKind::Invalid);
    let expected = format!("is not a node of a cluster: use redis://{address} for one server");
    assert!(text.ends_with(&expected), "{text}");
    let address = SHARED.nodes()[0].address();
    let (kind, text) = refused(&format!("redis://{address}")).await;
    assert_eq!(kind, ErrorKind::Invalid);
    let expected = format!("is a node of a cluster: use redis+cluster://{address}");
    assert!(text.contains(&expected), "{text}");
}

#[tokio::test]
async fn seeds_of_which_none_answers_are_named_without_the_password() {
    let port = deserted();
    let url = format!("redis+cluster://user:hunter2@127.0.0.1:{port},127.0.0.1:{port}");
    let (kind, text) = refused(&url).await;
    assert_eq!(kind, ErrorKind::NotSent);
    assert!(text.contains("no server listens there"), "{text}");
    assert!(
        !text.contains("hunter2") && !text.contains("user"),
        "{text}"
    );
}

#[tokio::test]
async fn a_node_without_slots_and_a_database_are_refused_with_the_fix() {
    let alone = RedisOptions::new()
        .with_setting("cluster-enabled", "yes")
        .start()
        .unwrap();
    let (kind, text) = refused(&format!("redis+cluster://{}", alone.address())).await;
    assert_eq!(kind, ErrorKind::NotSent);
    assert!(text.contains("serves no slot yet"), "{text}");
    let (kind, text) = refused("redis+cluster://127.0.0.1:7000/3").await;
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(text.contains("a cluster has no other than 0"), "{text}");
}

#[tokio::test]
async fn nodes_that_announce_no_host_are_found_by_the_seed_or_named_with_the_setting() {
    for (endpoint, is_served) in [("hostname", false), ("unknown-endpoint", true)] {
        let node = RedisOptions::new()
            .with_setting("cluster-enabled", "yes")
            .with_setting("cluster-preferred-endpoint-type", endpoint);
        let node = node.start().unwrap();
        ok(&node, &["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
        let url = format!("redis+cluster://{}", node.address());
        if is_served {
            until("served", || async {
                let store = patient(&url).connect().await.unwrap();
                store.put(&put(1, "x")).await.is_ok()
            })
            .await;
            continue;
        }
        let (kind, text) = refused(&url).await;
        assert_eq!(kind, ErrorKind::Invalid);
        assert!(
            text.contains("set cluster-announce-hostname on each"),
            "{text}"
        );
        let announce = ["CONFIG", "SET", "cluster-announce-hostname", "localhost"];
        ok(&node, &announce);
        patient(&url).connect().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_with_a_password_and_a_narrow_user_is_served() {
    let nodes = RedisOptions::new().with_password("sesame").with_user(
        "narrow",
        "on >hunter2 ~value:* +@read +@write +@scripting +cluster|slots +hello -@dangerous",
    );
    let cluster = ClusterOptions::new().with_nodes(nodes).start().unwrap();
    let store = patient(&cluster.url()).connect().await.unwrap();
    assert!(store.put(&put(1, "x")).await.unwrap().is_stored());
    let hosts = cluster.nodes()[0].address();
    let store = patient(&format!("redis+cluster://narrow:hunter2@{hosts}"));
    let store = store.connect().await.unwrap();
    let keys: Vec<_> = (0..50_u64).map(key).collect();
    for result in store.get_many(&keys).await {
        result.unwrap();
    }
    let debug = format!("{store:?} {}", store.location());
    assert!(!debug.contains("hunter2") && !debug.contains("sesame"));
    let (kind, text) = refused(&format!("redis+cluster://narrow:wrong@{hosts}")).await;
    assert_eq!(kind, ErrorKind::Refused(Refusal::Denied));
    assert!(
        !text.contains("wrong@") && text.contains("user and password"),
        "{text}"
    );
}
