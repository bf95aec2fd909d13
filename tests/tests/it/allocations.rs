//! Hot paths that take no allocation: counted, not timed.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;

use allocation_counter::measure;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use larder_cache::Cache;
use larder_moka::MokaStore;
use larder_rate_limit::{Quota, RateLimiter};
use larder_response_cache::ResponseCacheLayer;
use larder_store::program::{Record, Run};
use larder_store::{Key, Kind, ManualClock, Put, Store, Ttl};
use larder_test::records::{Add, ReadTally, Tally};
use tower::{Layer, Service};

const SEAT: Kind = Kind::pinned("seat");
const FILM: Kind = Kind::evictable("film");
const HOUR: Ttl = Ttl::from_secs(3600);

/// How many allocations `work` takes once everything is warm.
fn allocations(mut work: impl FnMut()) -> u64 {
    work();
    measure(work).count_total
}

#[test]
fn a_get_in_process_through_a_trait_object_allocates_nothing() {
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let key = Key::new(SEAT, 7_u32);
    let put = Put::new(key.clone(), "taken", HOUR);
    assert!(store.put(&put).now_or_never().is_some());
    assert_eq!(
        allocations(|| {
            let entry = store.get_now(&key);
            assert!(matches!(entry, Poll::Ready(Ok(Some(_)))));
        }),
        0
    );
}

#[test]
fn a_key_of_usual_length_allocates_nothing() {
    assert_eq!(
        allocations(|| {
            let key = Key::new(SEAT, ("2026-11-20", 7_u32, "F12"));
            assert!(key.as_bytes().len() > 20);
        }),
        0
    );
}

#[test]
fn a_step_of_a_rate_limit_in_process_allocates_nothing() {
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let quota = Quota::per_second(100_000);
    let limiter = RateLimiter::new(store, "pages", quota).expect("a limiter");
    assert_eq!(
        allocations(|| {
            let decision = limiter.check("203.0.113.7").now_or_never();
            assert!(matches!(decision, Some(Ok(decision)) if decision.is_allowed()));
        }),
        0
    );
}

#[test]
fn programs_of_several_types_in_process_allocate_nothing_together() {
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let programs = store.programs().expect("it runs programs");
    let key = Key::new(Tally::KIND, 1_u32);
    let add = Add {
        by: 1,
        limit: 1_000,
        ttl: HOUR,
    };
    assert_eq!(
        allocations(|| {
            let (mut added, mut read) = (Run::new(&add), Run::new(&ReadTally));
            let both = programs.run_each([(&key, &mut added), (&key, &mut read)]);
            let Some([first, second]) = both.now_or_never() else {
                panic!("it takes no waiting");
            };
            let sum = added.reply(first).expect("a sum");
            assert_eq!(read.reply(second).expect("the sum"), sum);
        }),
        0
    );
}

#[test]
fn a_near_hit_allocates_nothing() {
    let cache: Cache<u64, String> = Cache::builder(FILM, HOUR).build().expect("a cache");
    let inserted = cache.insert(7, "Metropolis".to_owned()).now_or_never();
    assert!(matches!(inserted, Some(Ok(()))));
    assert_eq!(allocations(|| assert!(cache.get_near(&7).is_some())), 0);
    assert_eq!(
        allocations(|| {
            let loaded = cache
                .get_or_load(&7, || async { Ok::<_, Infallible>(String::new()) })
                .now_or_never();
            assert!(matches!(loaded, Some(Ok(_))));
        }),
        0
    );
}

#[test]
fn a_hit_of_the_response_cache_allocates_a_map_of_fields_alone_whatever_its_body() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    for bytes in [1024, 1024 * 1024] {
        let page = Bytes::from(vec![b'x'; bytes]);
        let film = tower::service_fn(move |_: Request<Empty<Bytes>>| {
            let response = Response::builder().header("cache-control", "max-age=60");
            std::future::ready(response.body(Full::from(page.clone())))
        });
        let store = Arc::new(MokaStore::new());
        let layer = ResponseCacheLayer::builder(store).with_clock(ManualClock::default());
        let mut cached = layer.build().expect("a layer").layer(film);
        let ask = || {
            let request = Request::get("/films/7").header("host", "cinema.example");
            request.body(Empty::new()).expect("a request")
        };
        runtime.block_on(async {
            let first = cached.call(ask()).await.expect("a response");
            assert!(first.into_body().collect().await.is_ok());
        });
        let mut requests = vec![ask(), ask()];
        let count = allocations(|| {
            let request = requests.pop().expect("one for each time");
            let hit = cached.call(request).now_or_never();
            let mut body = hit
                .expect("a hit waits for nothing")
                .expect("a hit")
                .into_body();
            let whole = body.frame().now_or_never().flatten();
            let whole = whole
                .and_then(Result::ok)
                .and_then(|frame| frame.into_data().ok());
            assert_eq!(whole.map(|data| data.len()), Some(bytes));
        });
        // The map's places and its index.
        assert_eq!(count, 2);
    }
}

#[test]
fn the_counter_counts() {
    assert!(allocations(|| drop(std::hint::black_box(Box::new(7)))) > 0);
}
