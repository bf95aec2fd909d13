//! A server that the sentinels name as the master, and that cannot be used.

use larder_store::ErrorKind;

use super::{Fake, error};
use crate::cluster::deserted;
use crate::handshake::stranger;
use crate::log::Log;
use crate::support::{brisk, ok, server, until};

/// Returns the URL of the master of a sentinel.
fn url(sentinel: &Fake) -> String {
    format!("redis+sentinel://127.0.0.1:{}/main", sentinel.port)
}

#[tokio::test]
async fn a_master_that_does_not_listen_is_named_and_not_its_sentinels() {
    let port = deserted();
    let url = url(&Fake::start(port, 1));
    let (kind, text) = error(&url).await;
    assert_eq!(kind, ErrorKind::NotSent);
    let expected = format!("the master 127.0.0.1:{port} that {url} names cannot be reached");
    assert!(text.contains(&expected), "{text}");
    assert!(text.contains("replica-announce-ip"), "{text}");
}

#[tokio::test]
async fn a_server_that_is_named_and_is_no_master_is_said_to_be_none() {
    let replica = server();
    ok(&replica, &["REPLICAOF", "127.0.0.1", "1"]);
    let url = url(&Fake::start(replica.port(), 1));
    let (kind, text) = error(&url).await;
    assert_eq!(kind, ErrorKind::NotSent);
    let expected = format!(
        "127.0.0.1:{}, which {url} names as the master, is not one",
        replica.port()
    );
    assert!(text.contains(&expected), "{text}");
}

#[tokio::test]
async fn a_master_that_is_too_old_is_named() {
    let old = stranger(Some(b"%1\r\n$7\r\nversion\r\n$5\r\n6.2.7\r\n"));
    let (_, port) = old.rsplit_once(':').unwrap();
    let url = url(&Fake::start(port.parse().unwrap(), 1));
    let (kind, text) = error(&url).await;
    assert_eq!(kind, ErrorKind::Invalid);
    let expected = format!("the master 127.0.0.1:{port} that {url} names is version 6");
    assert!(text.contains(&expected), "{text}");
}

#[tokio::test]
async fn the_log_names_the_master_whose_connection_was_lost() {
    let (log, _logging) = Log::open();
    let mut master = server();
    let sentinel = Fake::start(master.port(), 1);
    let _store = brisk(&url(&sentinel)).connect().await.unwrap();
    let port = master.port();
    master.kill();
    let expected = format!("master=127.0.0.1:{port} ");
    until("logged", || async { log.read().contains(&expected) }).await;
}
