//! TLS: trusted authorities, client certificates, and the errors when one of them is wrong.

mod cluster;
mod hosts;
mod sentinels;
mod server;

use std::sync::Arc;
use std::time::Duration;

use larder_redis::RedisStore;
use larder_store::{ErrorKind, Store};
use larder_test::server::{CertificateAuthority, RedisOptions, Sandbox, TlsOptions};
use tokio_rustls::rustls::crypto::CryptoProvider;

use crate::replica_reads::LONG;
use crate::support::patient;

/// An authority, and the files of its clients.
struct Papers {
    authority: CertificateAuthority,
    /// The URL parameter with the authority.
    ca: String,
    /// The URL parameter with another authority.
    stranger: String,
    /// The URL parameters of a client that trusts this authority, and has a certificate of it.
    app: String,
    files: Sandbox,
}

impl Papers {
    fn new() -> Self {
        let authority = CertificateAuthority::new().unwrap();
        let stranger = CertificateAuthority::new().unwrap();
        let app = authority.issue_client("app").unwrap();
        let files = Sandbox::new().unwrap();
        let file = |name: &str, text: &str| file(&files, name, text);
        let ca = format!("ca={}", file("ca.pem", &authority.certificate_pem()));
        let stranger = format!("ca={}", file("stranger.pem", &stranger.certificate_pem()));
        let cert = file("app.pem", app.certificate_pem());
        let key = file("app.key", app.key_pem());
        Self {
            authority,
            app: format!("{ca}&cert={cert}&key={key}"),
            ca,
            stranger,
            files,
        }
    }

    /// Returns the options of a server with a certificate of this authority.
    fn tls(&self) -> TlsOptions {
        TlsOptions::new(&self.authority)
    }
}

/// Makes a file with this text, and returns its path.
fn file(files: &Sandbox, name: &str, text: &str) -> String {
    let path = files.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn nodes(tls: TlsOptions) -> RedisOptions {
    RedisOptions::new().with_tls(tls)
}

/// Long enough for a handshake on a busy machine.
const CONNECT: Duration = Duration::from_secs(2);

async fn store(url: &str, query: &str) -> Arc<RedisStore> {
    let store = patient(&format!("{url}?{query}"));
    let store = store.with_connect_timeout(CONNECT).connect().await.unwrap();
    assert!(
        CryptoProvider::get_default().is_none(),
        "a provider for the whole process is nobody's here to install"
    );
    for shown in [store.location().to_owned(), format!("{store:?}")] {
        assert!(!shown.contains("pem") && !shown.contains('@'), "{shown}");
    }
    Arc::new(store)
}

/// Makes a store that reads from replicas.
async fn reader(url: &str, query: &str) -> RedisStore {
    let store = patient(&format!("{url}?{query}&timeout_ms=2000"));
    let store = store.with_connect_timeout(CONNECT).with_replica_reads(LONG);
    store.connect().await.unwrap()
}

/// Returns the text of the error when the store cannot connect.
async fn error(url: &str, query: &str) -> String {
    let store = RedisStore::builder(&format!("{url}?{query}")).with_connect_timeout(CONNECT);
    let error = store.connect().await.expect_err("no connection");
    assert_eq!(error.kind(), ErrorKind::NotSent);
    assert!(!error.to_string().contains('@'), "{error}");
    error.to_string()
}

fn asks_for_a_certificate_of_ours(text: &str) -> bool {
    text.contains("require") && text.contains("client certificate") && text.contains("?cert=")
}
