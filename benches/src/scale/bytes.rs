//! What each of a million entries takes, in this process and on Redis.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_response_cache::CacheLayer;
use larder_moka::MokaStore;
use larder_queue::{NewJob, Queue};
use larder_rate_limit::{KeyBy, Quota, RateLimitLayer, RateLimiter};
use larder_response_cache::ResponseCacheLayer;
use larder_store::Store;
use redis::Pipeline;
use redis::aio::MultiplexedConnection;
use tokio::runtime::Runtime;
use tower::{Layer, ServiceExt};

use super::site::{PAGE, ask, pages};
use super::table::{NONE, Out, figure};
use super::{Extent, Unit};
use crate::groups::layer::{request, service};
use crate::groups::queue::PAYLOAD;
use crate::groups::queue_large::{resident, used_memory};
use crate::groups::session::site;
use crate::load::{raw_connection, runtime, store, tasks};

const MANY: usize = 1_000_000;
const FEW: usize = 20_000;
/// How many tasks add entries at the same time.
const TASKS: usize = 64;
const DAY: usize = 86_400_000;

/// What there is a million of.
#[derive(Clone, Copy)]
enum Entry {
    Visitor,
    User,
    Limit,
    Page,
    Job,
}

pub(super) const UNITS: &[Unit] = &[
    ("visitors", |url, extent, out| {
        measure(Entry::Visitor, url, extent, out)
    }),
    ("users", |url, extent, out| {
        measure(Entry::User, url, extent, out)
    }),
    ("limits", |url, extent, out| {
        measure(Entry::Limit, url, extent, out)
    }),
    ("pages", |url, extent, out| {
        measure(Entry::Page, url, extent, out)
    }),
    ("jobs", |url, extent, out| {
        measure(Entry::Job, url, extent, out)
    }),
];

fn measure(entry: Entry, url: &str, extent: Extent, out: &mut Out) {
    out.row(
        "bytes",
        &["entry", "where", "bytes", "peer", "its bytes"].map(str::to_owned),
    );
    let many = match extent {
        Extent::Whole => MANY,
        Extent::Quick => FEW,
    };
    let runtime = runtime();
    let each = |bytes: f64| bytes / many as f64;
    let mut row = |place: &str, bytes: f64, peer: Option<(&str, f64)>| {
        let (peer, of_peer) = peer.map_or((NONE.to_owned(), NONE.to_owned()), |(name, bytes)| {
            (name.to_owned(), figure(each(bytes).round()))
        });
        let bytes = figure(each(bytes).round());
        out.row(
            "bytes",
            &[
                entry.name().to_owned(),
                place.to_owned(),
                bytes,
                peer,
                of_peer,
            ],
        );
    };

    let (store, raw) = runtime.block_on(async { (store(url).await, raw_connection(url).await) });
    let before = runtime.block_on(used_memory(&raw));
    entry.fill(&runtime, store, many);
    let ours = runtime.block_on(used_memory(&raw)) - before;
    runtime.block_on(entry.by_hand(&raw, many));
    let peer = runtime.block_on(used_memory(&raw)) - before - ours;
    let on_redis = (ours, peer);

    let before = resident();
    let store = MokaStore::builder().with_max_cache_bytes(1 << 36);
    let store = Arc::new(store.with_max_keys_per_kind(4 * MANY).build());
    entry.fill(&runtime, store.clone(), many);
    let ours = resident() - before;
    let peer = entry.in_process(&runtime, many);
    row("in process", ours, peer);
    row(
        "Redis",
        on_redis.0,
        Some((entry.name_by_hand(), on_redis.1)),
    );
    drop(store);
}

impl Entry {
    fn name(self) -> &'static str {
        match self {
            Self::Visitor => "a visitor's session with one field",
            Self::User => "a user's session with one field",
            Self::Limit => "a key of a rate limit (GCRA)",
            Self::Page => "a cached page of 1 KiB",
            Self::Job => "a queued job of 100 bytes",
        }
    }

    /// Adds so many to a store.
    fn fill(self, runtime: &Runtime, store: Arc<dyn Store>, many: usize) {
        match self {
            Self::Visitor => fill_sessions(runtime, &site::ours(store), "/write", many),
            Self::User => fill_sessions(runtime, &site::ours(store), "/log-in", many),
            Self::Limit => {
                let limiter = RateLimiter::new(store, "pages", Quota::per_hour(10));
                let layer = RateLimitLayer::new(limiter.expect("a limiter"), KeyBy::peer());
                let limited = layer.layer(service());
                spread(runtime, many, move |n| {
                    let answer = limited.clone().oneshot(request(n as u32));
                    async move { assert!(answer.await.expect("an answer").status().is_success()) }
                });
            }
            Self::Page => {
                let layer = ResponseCacheLayer::builder(store).with_max_near_bytes(0);
                let layer = layer.with_store_timeout(Duration::from_secs(10));
                fill_pages(
                    runtime,
                    &pages().layer(layer.build().expect("a layer")),
                    many,
                );
            }
            Self::Job => {
                let queue = Queue::new(store, "many").expect("a queue");
                let queue = queue.with_max_jobs(2 * MANY as u32);
                let batch = 100;
                spread(runtime, many / batch, move |_| {
                    let queue = queue.clone();
                    async move {
                        let jobs = (0..batch).map(|_| NewJob::raw("bench", &PAYLOAD[..]));
                        for added in queue.enqueue_many(jobs).await {
                            added.expect("an answer");
                        }
                    }
                });
            }
        }
    }

    /// The bytes of so many in a peer's memory.
    fn in_process(self, runtime: &Runtime, many: usize) -> Option<(&'static str, f64)> {
        let before = resident();
        match self {
            Self::Visitor | Self::User => {
                let pages = site::theirs();
                let path = if matches!(self, Self::User) {
                    "/log-in"
                } else {
                    "/write"
                };
                fill_sessions(runtime, &pages, path, many);
                Some(("tower-sessions", resident() - before))
            }
            Self::Limit => {
                let quota = governor::Quota::per_hour(const { NonZeroU32::new(10).unwrap() });
                let governor = governor::RateLimiter::keyed(quota);
                for n in 0..many as u32 {
                    assert!(
                        governor
                            .check_key(&IpAddr::V4(Ipv4Addr::from_bits(n)))
                            .is_ok()
                    );
                }
                Some(("governor", resident() - before))
            }
            Self::Page => {
                let pages = pages().layer(CacheLayer::with_lifespan(Duration::from_secs(86_400)));
                fill_pages(runtime, &pages, many);
                Some(("axum-response-cache", resident() - before))
            }
            Self::Job => None,
        }
    }

    fn name_by_hand(self) -> &'static str {
        match self {
            Self::Visitor | Self::User => "SET of its JSON",
            Self::Limit => "SET of a number",
            Self::Page => "SET of its body",
            Self::Job => "LPUSH",
        }
    }

    /// Adds so many as people do it by hand.
    async fn by_hand(self, raw: &MultiplexedConnection, many: usize) {
        let mut raw = raw.clone();
        for first in (0..many).step_by(1_000) {
            let mut pipe = Pipeline::new();
            for n in first..first + 1_000 {
                // As long as an id that nobody guesses.
                let session = format!("session:{:032x}", n as u128 * 0x9e37_79b9_7f4a_7c15_f39c);
                let (key, value) = match self {
                    Self::Visitor => (session, br#"{"city":"Paris, Texas"}"#.to_vec()),
                    Self::User => {
                        let json = format!(r#"{{"city":"Paris, Texas","user":"user-{n}"}}"#);
                        (session, json.into_bytes())
                    }
                    Self::Limit => (format!("by-hand:{n}"), b"1790000000000000".to_vec()),
                    Self::Page => (format!("by-hand:/{n}"), vec![b'x'; PAGE]),
                    Self::Job => {
                        pipe.cmd("LPUSH").arg("by-hand").arg(&PAYLOAD).ignore();
                        continue;
                    }
                };
                pipe.pset_ex(key, value, DAY as u64).ignore();
            }
            let () = pipe.query_async(&mut raw).await.expect("an answer");
        }
    }
}

/// Runs `operation` for each number, on many tasks at once.
fn spread<F>(
    runtime: &Runtime,
    many: usize,
    operation: impl Fn(usize) -> F + Clone + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let each = many.div_ceil(TASKS);
    tasks(runtime, TASKS, each, |task| {
        let operation = operation.clone();
        async move {
            for n in task * each..many.min((task + 1) * each) {
                operation(n).await;
            }
        }
    });
}

fn fill_sessions(runtime: &Runtime, pages: &Router, path: &'static str, many: usize) {
    let pages = pages.clone();
    spread(runtime, many, move |_| {
        let pages = pages.clone();
        async move { assert!(!site::cookie(&pages, path).await.is_empty()) }
    });
}

/// Asks for so many pages, and looks whether they are kept.
fn fill_pages(runtime: &Runtime, pages: &Router, many: usize) {
    let asked = |many: usize| {
        let pages = pages.clone();
        spread(runtime, many, move |n| {
            let answer = ask(pages.clone(), n);
            async move { assert_eq!(answer.await, PAGE) }
        });
    };
    let before = super::site::made();
    asked(many);
    assert_eq!(super::site::made() - before, many);
    asked(FEW);
    assert_eq!(super::site::made() - before, many, "every page is kept");
}
