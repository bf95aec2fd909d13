//! Spans of what takes time: as the page of operations lists them, and without a key or a value.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::queue::worker::{JobError, Worker};
use larder::queue::{Job, Queue};
use larder::store::Kind;
use larder::structures::lock::Lock;
use larder::{Store, Ttl};
use larder_cache::Cache;
use larder_moka::MokaStore;
use larder_rate_limit::{Quota, RateLimiter};
use larder_test::server::RedisServer;
use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use larder_worlds::patient;

const FILM: Kind = Kind::evictable("film");

/// What no span may show: it is in each key and in each value.
const SECRET: &str = "s3cret";

#[derive(Serialize, Deserialize)]
struct Greet(String);

impl Job for Greet {
    const NAME: &'static str = "greet";
}

/// A span that was opened: its name, its level, and the fields that have a value.
#[derive(Clone, Debug, Default)]
struct Seen {
    name: &'static str,
    level: String,
    fields: BTreeMap<&'static str, String>,
}

/// Keeps the spans of larder that are opened on this thread.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Seen>>>);

struct Fields<'a>(&'a mut BTreeMap<&'static str, String>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("larder")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut seen = Seen {
            name: span.metadata().name(),
            level: span.metadata().level().to_string(),
            fields: BTreeMap::new(),
        };
        span.record(&mut Fields(&mut seen.fields));
        let mut all = self.0.lock().unwrap();
        all.push(seen);
        Id::from_u64(all.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut all = self.0.lock().unwrap();
        let seen = &mut all[span.into_u64() as usize - 1];
        values.record(&mut Fields(&mut seen.fields));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Spans {
    fn has(&self, name: &str) -> bool {
        self.0.lock().unwrap().iter().any(|it| it.name == name)
    }

    /// Forgets what was seen, and keeps its ids: spans may still be open.
    fn take(&self) -> Vec<Seen> {
        let mut all = self.0.lock().unwrap();
        all.iter_mut()
            .filter(|it| !it.name.is_empty())
            .map(std::mem::take)
            .collect()
    }
}

/// The spans of the page: level and fields by name.
fn listed() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let page = include_str!("../../../docs/operations.md");
    let (_, table) = page
        .split_once("| span | level | fields | opened for |")
        .unwrap();
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let rows = rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let names = |cell: &str| {
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect()
        };
        let name = cells[0].trim_matches('`').to_owned();
        (name, (cells[1].to_owned(), names(cells[2])))
    });
    rows.collect()
}

fn films(store: &Arc<dyn Store>) -> Cache<String, String> {
    let films = Cache::builder(FILM, Ttl::from_secs(60)).with_key_hashes_in_spans();
    films.with_far(store.clone()).build().unwrap()
}

fn key(number: u32) -> String {
    format!("{SECRET} {number}")
}

async fn load(films: &Cache<String, String>, number: u32) {
    let load = || async { Ok::<_, Infallible>(SECRET.to_owned()) };
    films.get_or_load(&key(number), load).await.unwrap();
}

/// Does what takes time, once each.
async fn work(store: &Arc<dyn Store>, spans: &Spans) {
    // As in two processes.
    let (one, other) = (films(store), films(store));
    load(&one, 1).await;
    load(&other, 1).await;
    one.remove(&key(1)).await.unwrap();
    let load_many = |keys: Vec<String>| async move {
        let loaded = keys.into_iter().map(|key| (key, Ok(SECRET.to_owned())));
        Ok::<_, Infallible>(loaded.collect())
    };
    let loaded = one.get_or_load_many(&[key(2), key(3)], load_many).await;
    assert!(loaded.iter().all(Result::is_ok));

    // The loader goes on when the other process waits for it.
    let seen = spans.clone();
    let slow = || async move {
        while !seen.has("cache.follow") {
            tokio::task::yield_now().await;
        }
        Ok::<_, Infallible>(SECRET.to_owned())
    };
    let (four, loads) = (key(4), AtomicBool::new(false));
    let leader = one.get_or_load(&four, || {
        loads.store(true, Ordering::SeqCst);
        slow()
    });
    let follower = async {
        while !loads.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        load(&other, 4).await;
    };
    let (led, ()) = tokio::join!(leader, follower);
    led.unwrap();

    let limiter = RateLimiter::new(store.clone(), "pages", Quota::per_hour(9)).unwrap();
    let _ = limiter.check(SECRET).await.unwrap();
    let lock = Lock::new(store.clone(), SECRET).unwrap();
    let guard = lock.lock(Duration::from_secs(5)).await.unwrap().unwrap();
    let _ = guard.release().await.unwrap();
    let queue = Queue::new(store.clone(), "mail").unwrap();
    let _ = queue.enqueue(&Greet(SECRET.to_owned())).await.unwrap();
    let worker = Worker::new(queue).on(|_: Greet| async { Ok::<_, JobError>(()) });
    assert_eq!(worker.drain().await.unwrap().done, 1);
}

async fn opens_what_is_listed(store: Arc<dyn Store>, is_remote: bool) {
    let spans = Spans::default();
    let _guard = larder_test::subscribe(spans.clone());
    let worked = tokio::time::timeout(Duration::from_secs(60), work(&store, &spans));
    worked.await.unwrap();
    let listed = listed();
    let seen = spans.take();
    for span in &seen {
        let (level, fields) = listed
            .get(span.name)
            .unwrap_or_else(|| panic!("{span:?} is not listed"));
        assert_eq!(&span.level, level, "{span:?}");
        for (field, value) in &span.fields {
            assert!(fields.contains(*field), "{field} is not listed: {span:?}");
            assert!(!value.contains(SECRET), "{span:?}");
        }
    }
    let opened: BTreeSet<_> = seen.iter().map(|span| span.name).collect();
    let expected = listed.keys().map(String::as_str);
    let expected: BTreeSet<_> = expected
        .filter(|name| is_remote || *name != "redis")
        .collect();
    assert_eq!(opened, expected);

    let hits = seen.iter().filter_map(|it| it.fields.get("cache.hit"));
    let hits: BTreeSet<_> = hits.map(String::as_str).collect();
    assert_eq!(hits, BTreeSet::from(["false", "true"]));
    let hashed = seen.iter().find(|it| it.name == "cache.put").unwrap();
    assert_eq!(hashed.fields["cache.key"].len(), 16, "{hashed:?}");
    let of_redis = seen.iter().filter(|it| it.name == "redis");
    let of_redis: Vec<_> = of_redis.map(|it| &it.fields).collect();
    if is_remote {
        assert!(of_redis.iter().any(|it| it["db.operation.name"] == "GET"));
        let script = "db.stored_procedure.name";
        let mut scripts = of_redis.iter().filter_map(|it| it.get(script));
        assert!(scripts.any(|it| it.contains("enqueue")), "{of_redis:?}");
        let mut ports = of_redis.iter().map(|it| &it["server.port"]);
        assert!(ports.all(|port| port.parse::<u16>().is_ok()));
    }

    // A near hit, whoever listens.
    let films = films(&store);
    load(&films, 9).await;
    spans.take();
    load(&films, 9).await;
    assert!(films.get(&key(9)).await.is_some());
    assert!(spans.take().is_empty(), "a near hit opens no span");
}

#[tokio::test]
async fn spans_in_process_are_those_of_the_page_and_show_no_key_and_no_value() {
    opens_what_is_listed(Arc::new(MokaStore::new()), false).await;
}

#[tokio::test]
async fn spans_on_redis_are_those_of_the_page_and_show_no_key_and_no_value() {
    let server = RedisServer::start().unwrap();
    let store = patient(&server.url()).connect().await.unwrap();
    opens_what_is_listed(Arc::new(store), true).await;
}

#[tokio::test]
async fn a_span_of_an_operation_that_failed_says_how() {
    let server = RedisServer::start().unwrap();
    let store = patient(&server.url()).connect().await.unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    let key = larder::Key::new(FILM, 1_u32);
    server.command(&["LPUSH", key.as_str(), "x"]).unwrap();
    let spans = Spans::default();
    let _guard = larder_test::subscribe(spans.clone());
    store.get(&key).await.unwrap_err();
    let seen = spans.take();
    let fields = &seen[0].fields;
    assert_eq!(fields["db.response.status_code"], "WRONGTYPE");
    assert_eq!(fields["error.type"], "WRONGTYPE");
    assert_eq!(fields["otel.status_code"], "ERROR");
}
