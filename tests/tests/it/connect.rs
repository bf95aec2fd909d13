//! What an app is told at start when its store cannot be had.

use larder::{ErrorKind, connect};
use larder_test::server::{RedisOptions, RedisServer};

async fn refused(url: &str) -> larder::Error {
    match connect(url).await {
        Ok(store) => panic!("{} was opened", store.location()),
        Err(error) => error,
    }
}

#[tokio::test]
async fn an_unsupported_scheme_is_an_error_that_names_the_supported_ones() {
    let error = refused("memcached://localhost").await;
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        "connect: invalid: unsupported store scheme 'memcached': expected memory://, redis://, \
         rediss://, unix://, redis+cluster://, redis+sentinel:// or redis+shards://"
    );
    for scheme in ["unix+shards", "redis+shards+shards"] {
        let error = refused(&format!("{scheme}://a,b")).await;
        let text = error.to_string();
        assert!(text.contains("is not a scheme of shards"), "{text}");
    }
    let error = refused("localhost:6379").await;
    assert!(
        error.to_string().contains("starts with a scheme"),
        "{error}"
    );
}

#[tokio::test]
async fn a_scheme_may_be_in_capitals() {
    let store = connect("Memory://").await.unwrap();
    assert!(store.location().starts_with("memory:"));
    for url in ["REDIS://localhost#x", "Redis+Shards://:hunter2#x@a,b"] {
        let error = refused(url).await;
        assert!(error.to_string().contains("fragment"), "{error}");
    }
    let error = refused("MEMCACHED://localhost").await;
    assert!(error.to_string().contains("'MEMCACHED'"), "{error}");
}

#[tokio::test]
async fn a_secret_in_place_of_a_scheme_is_not_repeated() {
    let error = refused("hunter2=secret and more://localhost").await;
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_memory_url_with_a_path_is_an_error() {
    let error = refused("memory://64mb").await;
    assert!(error.to_string().contains("MokaStore::builder"), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_listen_is_an_error_that_names_its_address() {
    let port = {
        let server = RedisServer::start().expect("redis-server starts");
        server.port()
    };
    let error = refused(&format!("redis://:hunter2@127.0.0.1:{port}")).await;
    assert_eq!(error.kind(), ErrorKind::NotSent);
    let text = format!("{error}");
    assert!(text.contains(&format!("127.0.0.1:{port}")), "{text}");
    assert!(!format!("{error:?} {text}").contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_missing_and_a_wrong_password_are_errors_that_say_so() {
    let server = RedisOptions::new()
        .with_password("correct horse")
        .start()
        .expect("redis-server starts");
    let port = server.port();
    for url in [
        format!("redis://127.0.0.1:{port}"),
        format!("redis://:hunter2@127.0.0.1:{port}"),
    ] {
        let error = refused(&url).await;
        assert!(
            matches!(
                error.kind(),
                ErrorKind::Refused(larder::store::Refusal::Denied)
            ),
            "{error}"
        );
        assert!(error.to_string().contains("password"), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
    assert!(connect(&server.url()).await.is_ok());
}

#[tokio::test]
async fn a_unix_socket_is_a_store_too_and_one_that_is_missing_is_an_error_that_names_it() {
    let server = RedisServer::start().expect("redis-server starts");
    assert!(connect(&server.unix_url()).await.is_ok());
    let error = refused("unix:///nowhere/redis.sock").await;
    assert!(error.to_string().contains("/nowhere/redis.sock"), "{error}");
}
