use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_redis::RedisStore;
use larder_store::{ErrorKind, Refusal, Store};
use larder_test::server::{RedisOptions, RedisServer};

use crate::support::{key, ok, patient, put, server, until};

async fn refused(url: &str) -> (ErrorKind, String) {
    let builder = RedisStore::builder(url).with_connect_timeout(Duration::from_millis(300));
    match builder.connect().await {
        Ok(store) => panic!("connected: {store:?}"),
        Err(error) => (error.kind(), error.to_string()),
    }
}

/// Starts a listener that answers everything with `answer`, or closes the connection if there is none.
pub(crate) fn stranger(answer: Option<&'static [u8]>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            std::thread::spawn(move || {
                while let Ok(1..) = stream.read(&mut [0; 1024]) {
                    match answer {
                        Some(answer) => stream.write_all(answer).unwrap(),
                        None => return,
                    }
                }
            });
        }
    });
    format!("redis://{address}")
}

#[tokio::test]
async fn an_address_without_a_server_is_named_with_the_fix() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let url = format!("redis://user:hunter2@127.0.0.1:{port}/3");
    let (kind, text) = refused(&url).await;
    assert_eq!(kind, ErrorKind::NotSent);
    let expected = format!(
        "connect: not sent: redis://127.0.0.1:{port}/3 cannot be reached: no server \
         listens there: start it, or correct the address"
    );
    assert_eq!(text, expected);
    let (kind, text) = refused("unix:///nowhere/redis.sock").await;
    assert_eq!(kind, ErrorKind::NotSent);
    assert!(
        text.contains("unix:///nowhere/redis.sock cannot be reached: no server"),
        "{text}"
    );
}

#[tokio::test]
async fn a_silent_server_costs_at_most_the_connect_timeout() {
    let started = Instant::now();
    let (kind, text) = refused(&stranger(Some(b""))).await;
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(kind, ErrorKind::NotSent);
    assert!(
        text.contains("did not answer within 300ms: check the address"),
        "{text}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_redis_is_recognised() {
    let http = b"HTTP/1.1 400 Bad Request\r\n\r\n";
    let (kind, text) = refused(&stranger(Some(http))).await;
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(
        text.contains("answers, but does not speak the Redis protocol: check host and port"),
        "{text}"
    );
    let (kind, text) = refused(&stranger(None)).await;
    assert_eq!(kind, ErrorKind::NotSent);
    assert!(
        text.contains("closed the connection before answering: it may require TLS"),
        "{text}"
    );
}

#[tokio::test]
async fn a_missing_and_a_wrong_password_are_told_apart() {
    let server = RedisOptions::new().with_password("sesame").start().unwrap();
    patient(&server.url()).connect().await.unwrap();
    patient(&server.unix_url()).connect().await.unwrap();
    let address = server.address();
    for (url, what) in [
        (format!("redis://{address}"), "asks for a user and password"),
        (
            format!("redis://:hunter2@{address}"),
            "rejects this user and password",
        ),
        (
            format!("redis://hunter2:sesame@{address}?protocol=resp2"),
            "rejects this user and password",
        ),
    ] {
        let (kind, text) = refused(&url).await;
        assert_eq!(kind, ErrorKind::Refused(Refusal::Denied), "{text}");
        assert!(text.contains(what), "{text}");
        assert!(text.contains("as in redis://user:password@host"), "{text}");
        assert!(text.contains(&format!("redis://{address} ")), "{text}");
        assert!(
            !text.contains("hunter2") && !text.contains("sesame"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named() {
    let server = server();
    let (kind, text) = refused(&format!("{}/99", server.url())).await;
    assert_eq!(kind, ErrorKind::Invalid);
    let expected = format!(
        "the database in redis://{}/99 does not exist",
        server.address()
    );
    assert!(text.contains(&expected), "{text}");
}

#[tokio::test]
async fn a_server_that_has_its_maximum_of_clients_says_so() {
    let server = RedisOptions::new()
        .with_setting("maxclients", "1")
        .start()
        .unwrap();
    let _first = server.connect().unwrap();
    let (kind, text) = refused(&server.url()).await;
    assert_eq!(kind, ErrorKind::Refused(Refusal::Unavailable), "{text}");
    assert!(text.contains("raise maxclients"), "{text}");
}

#[tokio::test]
async fn an_old_server_and_a_sentinel_are_refused_by_their_greeting() {
    for (greeting, what) in [
        (
            &b"-ERR unknown command `HELLO`, with args\r\n"[..],
            "does not support HELLO",
        ),
        (
            b"%1\r\n$7\r\nversion\r\n$5\r\n6.2.7\r\n",
            "is version 6: larder needs Redis 7",
        ),
        (
            b"%1\r\n$4\r\nmode\r\n$8\r\nsentinel\r\n",
            "is a sentinel: give the URL of the server",
        ),
    ] {
        let (kind, text) = refused(&stranger(Some(greeting))).await;
        assert_eq!(kind, ErrorKind::Invalid, "{text}");
        assert!(text.contains(what), "{text}");
    }
}

#[tokio::test]
async fn each_form_of_url_reaches_the_server() {
    let users = RedisOptions::new().with_user("films", "on >sesame ~* +@all");
    let server: RedisServer = users.start().unwrap();
    for url in [
        server.url_as("films", "sesame"),
        format!("{}?protocol=resp2", server.url_as("films", "sesame")),
        format!("{}/5", server.url_as("films", "sesame")),
        format!(
            "redis+unix://{}?user=films&pass=sesame&db=5",
            server.socket().display()
        ),
    ] {
        let store = patient(&url)
            .connect()
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(store.get(&key(1)).await.unwrap(), None);
        assert!(!store.location().contains("sesame"), "{}", store.location());
    }
}

#[tokio::test]
async fn a_user_who_may_not_name_clients_is_served() {
    let users = RedisOptions::new().with_user("films", "on >sesame ~* +@all -client");
    let server = users.start().unwrap();
    let url = server.url_as("films", "sesame");
    let store = patient(&url).connect().await.unwrap();
    assert!(store.put(&put(1, "one")).await.unwrap().is_stored());
    ok(&server, &["CLIENT", "KILL", "TYPE", "normal"]);
    assert!(store.get(&key(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_user_who_may_only_get_is_let_in_and_refused_the_rest() {
    let users = RedisOptions::new().with_user("films", "on >sesame ~value:* +get +hello");
    let server = users.start().unwrap();
    let url = server.url_as("films", "sesame");
    let store = patient(&url).connect().await.unwrap();
    assert_eq!(store.get(&key(1)).await.unwrap(), None);
    let error = store.put(&put(1, "one")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Denied), "{error}");
}

#[tokio::test]
async fn the_timeout_of_the_url_overrides_that_of_the_app() {
    let server = server();
    let url = format!("{}?timeout_ms=350", server.url());
    let store = RedisStore::builder(&url).with_timeout(Duration::from_secs(9));
    let store = store.connect().await.unwrap();
    let programs = Arc::new(store).programs().unwrap();
    assert_eq!(programs.timeout(), Some(Duration::from_millis(350)));
}

#[tokio::test]
async fn an_impossible_timeout_is_refused_before_anything_is_dialed() {
    let server = server();
    for deadline in [Duration::ZERO, Duration::from_secs(61), Duration::MAX] {
        let (operations, connections) = (
            RedisStore::builder(&server.url()).with_timeout(deadline),
            RedisStore::builder(&server.url()).with_connect_timeout(deadline),
        );
        for (builder, setter) in [
            (operations, "with_timeout"),
            (connections, "with_connect_timeout"),
        ] {
            let error = builder.connect().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
            let text = error.to_string();
            assert!(text.contains("from 1 ms to 60 s"), "{text}");
            assert!(text.contains(setter), "{text}");
        }
        // The timeouts in the URL take precedence.
        let url = format!("{}?timeout_ms=5000&connect_timeout_ms=5000", server.url());
        let builder = RedisStore::builder(&url).with_timeout(deadline);
        builder
            .with_connect_timeout(deadline)
            .connect()
            .await
            .unwrap();
    }
    let longest = Duration::from_secs(60);
    let builder = RedisStore::builder(&server.url()).with_timeout(longest);
    let store = builder
        .with_connect_timeout(longest)
        .connect()
        .await
        .unwrap();
    assert!(store.put(&put(1, "one")).await.unwrap().is_stored());
}

#[tokio::test]
async fn no_other_time_is_too_long_and_none_is_zero() {
    let server = server();
    let one = std::num::NonZeroU8::MIN;
    for within in [Duration::ZERO, Duration::MAX] {
        let error = patient(&server.url())
            .with_replicas(one, within)
            .connect()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    let builder = patient(&server.url()).with_replica_reads(Duration::ZERO);
    let error = builder.connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    // A replica of any staleness may be read.
    let builder = patient(&server.url()).with_replica_reads(Duration::MAX);
    let store = Arc::new(builder.connect().await.unwrap());
    assert!(store.put(&put(1, "one")).await.unwrap().is_stored());
    assert!(store.get(&key(1)).await.unwrap().is_some());
    assert!(store.get_many(&[key(1)]).await.remove(0).unwrap().is_some());
    let leases = store.leases().unwrap();
    assert!(
        leases
            .follow(&key(1), Duration::MAX)
            .await
            .unwrap()
            .is_ended()
    );
    assert!(
        leases
            .follow(&key(1), Duration::ZERO)
            .await
            .unwrap()
            .is_ended()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_cannot_be_named_while_the_server_is_busy_is_none() {
    let server = server();
    ok(&server, &["CONFIG", "SET", "busy-reply-threshold", "1"]);
    let (port, until_killed) = (server.port(), "while true do end");
    let busy = std::thread::spawn(move || {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let length = until_killed.len();
        write!(
            stream,
            "*3\r\n$4\r\nEVAL\r\n${length}\r\n{until_killed}\r\n$1\r\n0\r\n"
        )
        .unwrap();
        let _ = stream.read(&mut [0; 64]);
    });
    until("busy", || async {
        matches!(server.command(&["GET", "x"]), Ok(reply) if format!("{reply:?}").contains("BUSY"))
    })
    .await;
    let error = RedisStore::connect(&server.url())
        .await
        .expect_err("it has no name");
    assert_eq!(
        error.kind(),
        ErrorKind::Refused(Refusal::Unavailable),
        "{error}"
    );
    assert!(error.to_string().contains("BUSY"), "{error}");
    server.command(&["SCRIPT", "KILL"]).unwrap();
    busy.join().unwrap();
    until("connected", || async {
        RedisStore::connect(&server.url()).await.is_ok()
    })
    .await;
}
