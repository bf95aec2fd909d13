//! TLS: whom we trust, who we are, and what is said when one of them is wrong.

use std::path::PathBuf;

use larder_redis::RedisStore;
use larder_store::{ErrorKind, Store};
use larder_test::server::{
    CertificateAuthority, ClientAuth, RedisOptions, RedisServer, Sandbox, TlsOptions,
};

use crate::support::{key, put, server};

/// A server by TLS, and the files of a client.
struct House {
    server: RedisServer,
    authority: CertificateAuthority,
    files: Sandbox,
}

impl House {
    fn open(clients: ClientAuth, names: &[&str]) -> Self {
        let authority = CertificateAuthority::new().unwrap();
        let tls = TlsOptions::new(&authority)
            .with_client_auth(clients)
            .with_names(names.iter().copied());
        Self {
            server: RedisOptions::new().with_tls(tls).start().unwrap(),
            authority,
            files: Sandbox::new().unwrap(),
        }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn ca(&self) -> String {
        self.file("ca.pem", &self.authority.certificate_pem())
    }

    async fn error(&self, query: &str) -> String {
        let url = format!("{}?{query}", self.server.url());
        let error = RedisStore::connect(&url).await.expect_err("no connection");
        assert_eq!(error.kind(), ErrorKind::NotSent);
        error.to_string()
    }
}

#[tokio::test]
async fn a_server_whose_ca_is_named_is_trusted_without_any_provider_of_the_process() {
    let house = House::open(ClientAuth::Off, &["localhost", "127.0.0.1"]);
    let url = format!("{}?ca={}", house.server.url(), house.ca());
    let store = RedisStore::connect(&url).await.unwrap();
    assert!(store.put(&put(1, "x")).await.unwrap());
    assert_eq!(store.get(&key(1)).await.unwrap().unwrap().value, "x");
    assert!(store.location().starts_with("rediss://"));
    assert!(!store.location().contains("ca="));
}

#[tokio::test]
async fn a_connection_by_tls_that_was_killed_is_made_again() {
    let house = House::open(ClientAuth::Off, &["127.0.0.1", "localhost"]);
    let url = format!("{}?ca={}", house.server.url(), house.ca());
    let store = RedisStore::connect(&url).await.unwrap();
    for _ in 0..5 {
        let killed = house.server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
        killed.unwrap();
        assert_eq!(store.get(&key(1)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_wrong_host_is_refused() {
    let house = House::open(ClientAuth::Off, &["redis.example"]);
    let text = house.error(&format!("ca={}", house.ca())).await;
    assert!(text.contains("certificate is for another host"), "{text}");
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_refused() {
    let house = House::open(ClientAuth::Off, &["localhost", "127.0.0.1"]);
    let stranger = CertificateAuthority::new().unwrap();
    let ca = house.file("stranger.pem", &stranger.certificate_pem());
    let text = house.error(&format!("ca={ca}")).await;
    assert!(text.contains("?ca=/path/to/ca.pem"), "{text}");
}

#[tokio::test]
async fn a_client_shows_its_certificate_where_it_is_asked_for() {
    let house = House::open(ClientAuth::Required, &["localhost", "127.0.0.1"]);
    let text = house.error(&format!("ca={}", house.ca())).await;
    assert!(
        text.contains("?cert=") || text.contains("hung up"),
        "{text}"
    );

    let app = house.authority.issue_client("app").unwrap();
    let cert = house.file("app.pem", app.certificate_pem());
    let key_file = house.file("app.key", app.key_pem());
    let query = format!("ca={}&cert={cert}&key={key_file}", house.ca());
    let url = format!("{}?{query}", house.server.url());
    let store = RedisStore::connect(&url).await.unwrap();
    assert!(store.put(&put(1, "x")).await.unwrap());
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused_before_anything_is_dialed() {
    let house = House::open(ClientAuth::Off, &["localhost", "127.0.0.1"]);
    let app = house.authority.issue_client("app").unwrap();
    let other = house.authority.issue_client("other").unwrap();
    let cert = house.file("app.pem", app.certificate_pem());
    let key = house.file("other.key", other.key_pem());
    let url = format!(
        "rediss://127.0.0.1:1?ca={}&cert={cert}&key={key}",
        house.ca()
    );
    let error = RedisStore::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("is not the one of"), "{error}");
}

#[tokio::test]
async fn a_plain_server_and_a_tls_url_do_not_meet_and_say_so() {
    let plain = server();
    let house = House::open(ClientAuth::Off, &["localhost"]);
    let url = plain.url().replacen("redis:", "rediss:", 1) + "?ca=" + &house.ca();
    let error = RedisStore::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSent);
    assert!(error.to_string().contains("TLS"), "{error}");

    let url = house.server.url().replacen("rediss:", "redis:", 1);
    let error = RedisStore::connect(&url).await.unwrap_err();
    assert!(error.to_string().contains("TLS"), "{error}");
}
