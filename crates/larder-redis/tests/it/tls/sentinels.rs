//! Sentinels and their servers with TLS.

use larder_store::Store;
use larder_test::server::{ClientAuth, RedisSentinels, SentinelOptions, TlsOptions};
use tokio::task::block_in_place;

use super::{Papers, asks_for_a_certificate_of_ours, error, nodes, reader, store};
use crate::replica_reads::until_read_there;
use crate::support::{calls, key, put, until};

fn trio(tls: TlsOptions) -> RedisSentinels {
    let servers = nodes(tls).with_password("sesame");
    let trio = SentinelOptions::new().with_servers(servers);
    trio.start().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_is_found_and_its_failover_is_followed_with_a_certificate_of_ours() {
    let papers = Papers::new();
    let trio = trio(papers.tls().with_client_auth(ClientAuth::Required));

    let url = trio.url();
    let (nobody, stranger) = tokio::join!(error(&url, &papers.ca), error(&url, &papers.stranger));
    for text in [&nobody, &stranger] {
        assert!(text.contains("no sentinel knows the master"), "{text}");
    }
    // If the connection is reset before the store reads the alert of the sentinel, the alert is lost.
    let says_why = asks_for_a_certificate_of_ours(&nobody) || nobody.contains("reset by peer");
    assert!(says_why, "{nobody}");
    assert!(stranger.contains("?ca=/path/to/ca.pem"), "{stranger}");

    let store = store(&trio.url(), &papers.app).await;
    assert!(store.location().starts_with("rediss+sentinel://127.0.0.1:"));
    assert!(store.put(&put(1, "x")).await.unwrap().is_stored());
    let old = trio.master().unwrap();
    let replicas = trio.servers().iter().filter(|it| it.port() != old.port());
    let replicas: Vec<_> = replicas.collect();
    let reader = reader(&trio.url(), &papers.app).await;
    until_read_there(&reader, &key(1), || {
        replicas.iter().map(|it| calls(*it, "get")).sum()
    })
    .await;
    old.kill();
    let new = block_in_place(|| trio.wait_for_failover(old)).unwrap();
    until("following the failover", || async {
        store.put(&put(1, "y")).await.is_ok()
    })
    .await;
    let there = new.command(&["EXISTS", key(1).as_str()]).unwrap();
    assert_eq!(there.int(), Some(1));
}

#[tokio::test]
async fn a_master_by_another_name_than_its_certificate_has_is_refused_though_its_sentinels_are_not()
{
    let papers = Papers::new();
    let trio = trio(papers.tls().with_names(["localhost"]));
    // The sentinels name the master by its address.
    let url = trio.url().replace("127.0.0.1", "localhost");
    let text = error(&url, &papers.ca).await;
    assert!(text.contains("for another host than 127.0.0.1"), "{text}");
}
