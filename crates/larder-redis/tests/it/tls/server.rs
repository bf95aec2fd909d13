//! One server with TLS.

use larder_redis::RedisStore;
use larder_store::{ErrorKind, Store};
use larder_test::server::{ClientAuth, RedisServer};

use super::{Papers, asks_for_a_certificate_of_ours, error, file, nodes, store};
use crate::support::{key, put, server};

/// A server with TLS, and the files of a client.
struct House {
    server: RedisServer,
    papers: Papers,
}

impl House {
    fn open(clients: ClientAuth, names: &[&str]) -> Self {
        let papers = Papers::new();
        let tls = papers.tls().with_client_auth(clients);
        let tls = tls.with_names(names.iter().copied());
        Self {
            server: nodes(tls).start().unwrap(),
            papers,
        }
    }

    async fn error(&self, query: &str) -> String {
        error(&self.server.url(), query).await
    }
}

#[tokio::test]
async fn a_server_whose_ca_is_named_is_trusted_without_any_provider_of_the_process() {
    let house = House::open(ClientAuth::Off, &["localhost", "127.0.0.1"]);
    let store = store(&house.server.url(), &house.papers.ca).await;
    assert!(store.put(&put(1, "x")).await.unwrap().is_stored());
    assert_eq!(store.get(&key(1)).await.unwrap().unwrap().value, "x");
    assert!(store.location().starts_with("rediss://"));
}

#[tokio::test]
async fn a_connection_by_tls_that_was_killed_is_made_again() {
    let house = House::open(ClientAuth::Off, &["127.0.0.1", "localhost"]);
    let store = store(&house.server.url(), &house.papers.ca).await;
    for _ in 0..5 {
        let killed = house.server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
        killed.unwrap();
        assert_eq!(store.get(&key(1)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_wrong_host_is_refused() {
    let house = House::open(ClientAuth::Off, &["redis.example"]);
    let text = house.error(&house.papers.ca).await;
    assert!(text.contains("certificate is for another host"), "{text}");
}

#[tokio::test]
async fn an_untrusted_server_is_refused() {
    let house = House::open(ClientAuth::Off, &["localhost", "127.0.0.1"]);
    let text = house.error(&house.papers.stranger).await;
    assert!(text.contains("?ca=/path/to/ca.pem"), "{text}");
}

#[tokio::test]
async fn a_client_shows_its_certificate_where_it_is_asked_for() {
    let house = House::open(ClientAuth::Required, &["localhost", "127.0.0.1"]);
    let text = house.error(&house.papers.ca).await;
    assert!(asks_for_a_certificate_of_ours(&text), "{text}");

    let store = store(&house.server.url(), &house.papers.app).await;
    assert!(store.put(&put(1, "x")).await.unwrap().is_stored());
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused_before_anything_is_dialed() {
    let papers = Papers::new();
    let other = papers.authority.issue_client("other").unwrap();
    let other = file(&papers.files, "other.key", other.key_pem());
    let (cert, _key) = papers.app.split_once("&key=").unwrap();
    let url = format!("rediss://127.0.0.1:1?{cert}&key={other}");
    let error = RedisStore::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(
        error.to_string().contains("does not match the certificate"),
        "{error}"
    );
}

#[tokio::test]
async fn a_plain_server_and_a_tls_url_do_not_meet_and_say_so() {
    let plain = server();
    let house = House::open(ClientAuth::Off, &["localhost"]);
    let url = plain.url().replacen("redis:", "rediss:", 1) + "?" + &house.papers.ca;
    let error = RedisStore::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSent);
    assert!(error.to_string().contains("TLS"), "{error}");

    let url = house.server.url().replacen("rediss:", "redis:", 1);
    let error = RedisStore::connect(&url).await.unwrap_err();
    assert!(error.to_string().contains("TLS"), "{error}");

    // As a seed of a cluster, and as a sentinel.
    let (plain, by_tls) = (plain.address(), house.server.address());
    let ca = &house.papers.ca;
    for (url, fix) in [
        (
            format!("rediss+cluster://{plain}?{ca}"),
            "redis instead of rediss",
        ),
        (
            format!("rediss+sentinel://{plain}/main?{ca}"),
            "redis instead of rediss",
        ),
        (
            format!("redis+cluster://{by_tls}"),
            "rediss instead of redis",
        ),
        (
            format!("redis+sentinel://{by_tls}/main"),
            "rediss instead of redis",
        ),
    ] {
        let error = RedisStore::connect(&url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotSent);
        assert!(error.to_string().contains(fix), "{url}: {error}");
    }
}
