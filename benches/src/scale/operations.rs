//! The operations whose cost is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use larder_events::log::EventLog;
use larder_queue::{NewJob, Queue, Verdict};
use larder_rate_limit::{KeyBy, Quota, RateLimitLayer, RateLimiter};
use larder_response_cache::ResponseCacheLayer;
use larder_store::{Put, Store, Ttl};
use larder_structures::counter::Counter;
use larder_structures::lock::{Lock, Released};
use tokio::runtime::Runtime;
use tower::{Layer, ServiceExt};

use super::contenders::film;
use super::site::{PAGE, ask, pages};
use crate::groups::layer::{request, service};
use crate::groups::queue::PAYLOAD;
use crate::groups::session::site;

/// How many tasks send requests.
pub(super) const TASKS: usize = 64;
/// How many jobs or events a batch has.
const BATCH: usize = 16;
const HOUR: Ttl = Ttl::from_secs(3600);

/// Does an operation so many times, by the task of a number.
pub(super) type Operation =
    Box<dyn Fn(usize, usize) -> futures_util::future::BoxFuture<'static, ()>>;

/// The operations by their names, with how many of them one call does.
pub(super) fn operations(
    runtime: &Runtime,
    store: &Arc<dyn Store>,
) -> Vec<(&'static str, usize, Operation)> {
    let sessions = site::ours(store.clone());
    let cookies = |from: &'static str| {
        let cookies = (0..TASKS).map(|_| runtime.block_on(site::cookie(&sessions, from)));
        Arc::new(cookies.collect::<Vec<_>>())
    };
    let visit = |from: &'static str, path: &'static str| {
        let (pages, cookies) = (sessions.clone(), cookies(from));
        each(move |task, _| {
            let asked = pages.clone().oneshot(site::request(path, &cookies[task]));
            async move { assert!(asked.await.expect("an answer").status().is_success()) }
        })
    };
    let limiter = RateLimiter::new(store.clone(), "pages", Quota::per_hour(1_000_000));
    let limited = RateLimitLayer::new(limiter.expect("a limiter"), KeyBy::peer()).layer(service());
    let value = bytes::Bytes::from(vec![b'x'; PAGE]);
    let put = {
        let (store, value) = (store.clone(), value.clone());
        each(move |task, _| {
            let (store, put) = (store.clone(), Put::new(film(task), value.clone(), HOUR));
            async move { assert!(store.put(&put).await.expect("an answer").is_stored()) }
        })
    };
    let get = {
        let store = store.clone();
        each(move |task, _| {
            let store = store.clone();
            async move { assert!(store.get(&film(task)).await.expect("an answer").is_some()) }
        })
    };
    vec![
        ("a value of 1 KiB is written", 1, put),
        ("a value of 1 KiB is read", 1, get),
        ("a visitor's session is read", 1, visit("/write", "/read")),
        ("a user's session is read", 1, visit("/log-in", "/user")),
        (
            "a visitor's session is written",
            1,
            visit("/write", "/write"),
        ),
        (
            "a request is counted against a rate limit",
            1,
            each(move |task, n| {
                let answer = limited
                    .clone()
                    .oneshot(request((task * 100 + n % 100) as u32));
                async move { assert!(answer.await.expect("an answer").status().is_success()) }
            }),
        ),
        (
            "a page of 1 KiB from the near tier",
            1,
            page(store, Pages::Near),
        ),
        ("a page of 1 KiB from the store", 1, page(store, Pages::Far)),
        (
            "a page of 1 KiB that is made and stored",
            1,
            page(store, Pages::New),
        ),
        (
            "a job, enqueued and done one at a time",
            1,
            jobs(store, "one", 1),
        ),
        (
            "a job, enqueued and done 16 at a time",
            BATCH,
            jobs(store, "many", BATCH),
        ),
        (
            "an event, appended, read in a group and acknowledged, 16 at a time",
            BATCH,
            events(store),
        ),
        ("a lock is taken and released", 1, lock(store)),
        ("a counter adds", 1, counter(store)),
    ]
}

/// `operation(task, n)` again and again, one after the other.
fn each<F>(operation: impl Fn(usize, usize) -> F + Clone + Send + Sync + 'static) -> Operation
where
    F: Future<Output = ()> + Send + 'static,
{
    Box::new(move |task, times| {
        let operation = operation.clone();
        Box::pin(async move {
            for n in 0..times {
                operation(task, n).await;
            }
        })
    })
}

/// Which pages are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pages {
    Near,
    Far,
    New,
}

fn page(store: &Arc<dyn Store>, which: Pages) -> Operation {
    let near = if which == Pages::Far { 0 } else { 64 << 20 };
    let layer = ResponseCacheLayer::builder(store.clone()).with_max_near_bytes(near);
    let layer = layer.with_store_timeout(Duration::from_secs(10));
    let layer = layer.with_near_ttl(Duration::from_secs(3600)).build();
    let pages: Router = pages().layer(layer.expect("a layer"));
    let asked = Arc::new(AtomicUsize::new(1_000));
    each(move |task, _| {
        let number = match which {
            Pages::New => asked.fetch_add(1, Ordering::Relaxed),
            Pages::Near | Pages::Far => task,
        };
        let answer = ask(pages.clone(), number);
        async move { assert_eq!(answer.await, PAGE) }
    })
}

fn jobs(store: &Arc<dyn Store>, name: &str, many: usize) -> Operation {
    let queue = Queue::new(store.clone(), name).expect("a queue");
    each(move |_, _| {
        let queue = queue.clone();
        async move {
            let jobs = (0..many).map(|_| NewJob::raw("bench", &PAYLOAD[..]));
            for added in queue.enqueue_many(jobs).await {
                added.expect("an answer");
            }
            let taken = queue.dequeue(many).await.expect("an answer");
            let acks: Vec<_> = taken
                .iter()
                .map(|it| (it.receipt().clone(), Verdict::Ack))
                .collect();
            for settled in queue.settle_many(&acks).await.expect("an answer") {
                assert!(settled.is_accepted());
            }
        }
    })
}

fn events(store: &Arc<dyn Store>) -> Operation {
    let log = EventLog::<String>::new(store.clone(), "bench", HOUR).expect("a log");
    let log = Arc::new(log.with_max_len(1_000));
    let consumers = (0..TASKS).map(|task| {
        let group = log.group(task as u32, "mail").expect("a group");
        Arc::new(group.consumer())
    });
    let consumers: Arc<Vec<_>> = Arc::new(consumers.collect());
    let event = String::from_utf8_lossy(&PAYLOAD).into_owned();
    each(move |task, n| {
        let (log, events) = (log.clone(), vec![event.clone(); BATCH]);
        let consumer = consumers[task].clone();
        async move {
            if n == 0 {
                // The group begins where the log is.
                let batch = consumer.read(1).await.expect("an answer");
                assert!(batch.deliveries.is_empty());
            }
            for appended in log.append_many(task as u32, &events).await {
                appended.expect("an answer");
            }
            let batch = consumer.read(BATCH).await.expect("an answer");
            let settled = consumer.ack_many(&batch.deliveries).await;
            assert_eq!(settled.expect("an answer").len(), BATCH);
        }
    })
}

fn lock(store: &Arc<dyn Store>) -> Operation {
    let store = store.clone();
    each(move |task, _| {
        let lock = Lock::new(store.clone(), task as u32).expect("a lock");
        async move {
            let guard = lock
                .try_lock()
                .await
                .expect("an answer")
                .expect("it is free");
            let released = guard.release().await.expect("an answer");
            assert_eq!(released, Released::InTime);
        }
    })
}

fn counter(store: &Arc<dyn Store>) -> Operation {
    let counter = Counter::new(store.clone(), "bench", HOUR).expect("a counter");
    each(move |task, _| {
        let counter = counter.clone();
        async move {
            counter.add(task as u32, 1).await.expect("an answer");
        }
    })
}
