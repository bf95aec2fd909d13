//! Handlers that read their session on Redis, beside handlers that GET a value themselves.

use std::sync::Arc;

use axum::Router;
use larder_redis::RedisStore;
use larder_store::Store;
use redis::AsyncCommands;
use tokio::runtime::Runtime;
use tower::layer::util::Identity;
use tower::{Service, ServiceExt};

use super::http::{Server, visit};
use super::site::{RAW, RAW_STATE, cookie, ours, raw, request};
use crate::harness::{Bar, Round, Row, compare};
use crate::load::{raw_connection, runtime, tasks};

const TASKS: usize = 64;
const EACH: usize = 400;

pub(super) fn run(url: &str) -> Vec<Row> {
    let runtime = runtime();
    let (ours, raw) = runtime.block_on(async {
        let store: Arc<dyn Store> = Arc::new(RedisStore::connect(url).await.expect("a store"));
        let mut connection = raw_connection(url).await;
        let both = [RAW, RAW_STATE].map(|(key, length)| (key, vec![7_u8; length]));
        let () = connection.mset(&both).await.expect("the values are put");
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
        let what = format!("{who} on Redis is read in a handler, 64 clients over HTTP");
        let session = ("SessionLayer", &ours, path);
        let bar = Bar::ThroughputAtLeast(if path == "/read" { 0.9 } else { 0.85 });
        let row = over_http(&runtime, what.clone(), session, a_get(&raw), &mine, bar);
        rows.push(row.with_note(note));
        rows.push(bare(&runtime, who, (&ours, &raw), path, &mine));
        if path == "/user" {
            let two = ("an MGET of two keys in the handler", &raw, "/two");
            rows.push(over_http(&runtime, what, session, two, &mine, Bar::None));
        }
    }
    // The share of axum, whatever the layer does.
    let layered = raw.clone().layer(Identity::new());
    let empty = ("behind an empty layer", &layered, "/read");
    let what = "a GET in a handler, 64 clients over HTTP".to_owned();
    let none = vec![String::new(); TASKS];
    rows.push(over_http(
        &runtime,
        what,
        empty,
        a_get(&raw),
        &none,
        Bar::None,
    ));
    rows
}

/// The name of a contender, its pages, and the path that is asked for.
type Contender<'a> = (&'static str, &'a Router, &'static str);

fn a_get(raw: &Router) -> Contender<'_> {
    ("a GET in the handler", raw, "/read")
}

/// As users run it: a server, and 64 clients that keep their connections.
fn over_http(
    runtime: &Runtime,
    what: String,
    one: Contender<'_>,
    other: Contender<'_>,
    cookies: &[String],
    bar: Bar,
) -> Row {
    let [one, other] = [one, other].map(|(name, pages, path)| {
        let server = Server::start(runtime, pages);
        let drive = move || {
            // The closure owns the server, so that it ends with the rounds.
            let server = &server;
            let address = server.address;
            tasks(runtime, TASKS, EACH, |n| {
                visit(address, path, cookies[n].clone(), EACH)
            })
        };
        (name, Box::new(drive) as Round<'_>)
    });
    compare(what, 15, one, other, bar)
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
