//! Handlers that read their session on Redis, beside handlers that GET a value themselves.

use std::sync::Arc;

use axum::Router;
use larder_redis::RedisStore;
use larder_store::Store;
use redis::AsyncCommands;
use tokio::runtime::Runtime;
use tower::{Service, ServiceExt};

use super::http::{Server, visit};
use super::site::{RAW, cookie, ours, raw, request};
use crate::harness::{Bar, Row, compare};
use crate::load::{raw_connection, runtime, tasks};

const TASKS: usize = 64;
const EACH: usize = 400;

pub(super) fn run(url: &str) -> Vec<Row> {
    let runtime = runtime();
    let (ours, raw) = runtime.block_on(async {
        let store: Arc<dyn Store> = Arc::new(RedisStore::connect(url).await.expect("a store"));
        let mut connection = raw_connection(url).await;
        let value = vec![7; 200];
        let () = connection.set(RAW, value).await.expect("the value is put");
        (ours(store), raw(connection))
    });
    let mut rows = Vec::new();
    let cores = "server, clients and Redis share two cores";
    let keys = "the same, and two keys in one round trip: the session, and whether the user has \
                revoked it";
    for (who, note, from, path) in [
        ("a visitor's session", cores, "/write", "/read"),
        ("a user's session", keys, "/log-in", "/user"),
    ] {
        let mine = runtime.block_on(cookies(&ours, from));
        let row = over_http(&runtime, who, (&ours, &raw), path, &mine);
        rows.push(row.with_note(note));
        rows.push(bare(&runtime, who, (&ours, &raw), path, &mine));
    }
    rows
}

/// As users run it: a server, and 64 clients that keep their connections.
fn over_http(
    runtime: &Runtime,
    who: &str,
    (ours, raw): (&Router, &Router),
    path: &'static str,
    cookies: &[String],
) -> Row {
    let (ours, raw) = (Server::start(runtime, ours), Server::start(runtime, raw));
    let drive = |server: &Server| {
        let address = server.address;
        tasks(runtime, TASKS, EACH, |n| {
            visit(address, path, cookies[n].clone(), EACH)
        })
    };
    compare(
        format!("{who} on Redis is read in a handler, 64 clients over HTTP"),
        15,
        ("SessionLayer", Box::new(|| drive(&ours))),
        ("a GET in the handler", Box::new(|| drive(&raw))),
        Bar::ThroughputAtLeast(0.85),
    )
}

/// The service alone, called by 64 tasks.
fn bare(
    runtime: &Runtime,
    who: &str,
    (ours, raw): (&Router, &Router),
    path: &'static str,
    cookies: &[String],
) -> Row {
    let drive = |pages: &Router| {
        tasks(runtime, TASKS, EACH, |n| {
            call(pages.clone(), path, cookies[n].clone())
        })
    };
    compare(
        format!("{who} on Redis is read in a handler, 64 tasks without HTTP"),
        15,
        ("SessionLayer", Box::new(|| drive(ours))),
        ("a GET in the handler", Box::new(|| drive(raw))),
        Bar::None,
    )
    .with_note("the router alone: all that is left is the session and the GET")
}

async fn call(pages: Router, path: &'static str, cookie: String) {
    let mut pages = pages.into_service();
    for _ in 0..EACH {
        let ready = pages.ready().await.expect("it is ready");
        let response = ready.call(request(path, &cookie)).await;
        assert!(response.expect("it answers").status().is_success());
    }
}

async fn cookies(pages: &Router, from: &str) -> Vec<String> {
    let mut cookies = Vec::new();
    for _ in 0..TASKS {
        cookies.push(cookie(pages, from).await);
    }
    cookies
}
