//! Refunds: attempts that are charged before they run, and given back if they succeed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::header::LOCATION;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use larder_moka::MokaStore;
use larder_rate_limit::{FailMode, KeyBy, Limit, Quota, RateLimitLayer, RateLimiter, Settlement};
use larder_redis::RedisStore;
use larder_store::{ErrorKind, ManualClock, Store};
use larder_test::server::RedisServer;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::{Layer, service_fn};

use crate::support::{App, Behavior, ScriptedStore, from, limiter, lines, model, with};

const ANN: &str = "192.0.2.1";

fn right_or_wrong(number: usize) -> &'static str {
    if number.is_multiple_of(3) {
        "401"
    } else {
        "200"
    }
}

/// A request that asks for this status.
fn to_get(status: &str) -> Request<()> {
    with(from(ANN), "x-status", status)
}

/// Sets the store's behavior, and then answers with the requested status.
fn answering(layer: &RateLimitLayer, store: &ScriptedStore, then: Behavior) -> App {
    let store = store.clone();
    let service = service_fn(move |request: Request<()>| {
        store.set(then);
        async move {
            let status = &request.headers()["x-status"];
            let mut response = Response::new(Full::from("hello"));
            *response.status_mut() = StatusCode::from_bytes(status.as_bytes()).unwrap();
            Ok(response)
        }
    });
    App::around(layer.layer(service))
}

/// Five failed attempts pass, and any number of successful ones.
fn guesses(store: Arc<dyn Store>) -> RateLimitLayer {
    RateLimitLayer::new(limiter(store, Quota::per_hour(5)), KeyBy::peer())
        .with_refund_if(|response| response.status != StatusCode::UNAUTHORIZED)
}

#[tokio::test(start_paused = true)]
async fn failed_attempts_count_and_successful_ones_do_not() {
    for behavior in [Behavior::Now, Behavior::After(Duration::from_millis(1))] {
        let store = ScriptedStore::new(behavior);
        let app = answering(&guesses(store.store()), &store, behavior);
        for right in 1..20 {
            let response = app.send(to_get("200")).await;
            assert_eq!(
                response.status(),
                200,
                "the {right}. right one, {behavior:?}"
            );
            assert_eq!(
                lines(response.headers(), "ratelimit"),
                [r#""test";r=5;t=0"#]
            );
        }
        for left in [4, 3, 2, 1, 0] {
            let response = app.send(to_get("401")).await;
            assert_eq!(response.status(), 401, "{behavior:?}");
            let limit = lines(response.headers(), "ratelimit");
            assert!(
                limit[0].starts_with(&format!(r#""test";r={left};"#)),
                "{limit:?}"
            );
        }
        for status in ["401", "200"] {
            assert_eq!(app.send(to_get(status)).await.status(), 429, "{behavior:?}");
        }
    }
}

/// Answers every request with 303, and reports success in the location or in a settlement.
fn redirecting(layer: &RateLimitLayer) -> App {
    let service = service_fn(|request: Request<()>| async move {
        let mut response = Response::new(Full::from("elsewhere"));
        *response.status_mut() = StatusCode::SEE_OTHER;
        if let Some(to) = request.headers().get("x-to") {
            response.headers_mut().insert(LOCATION, to.clone());
        }
        let says = request.headers().get("x-says").map(|says| says.as_bytes());
        if let Some(says) = says {
            response.extensions_mut().insert(match says {
                b"refund" => Settlement::Refund,
                _ => Settlement::Charge,
            });
        }
        Ok(response)
    });
    App::around(layer.layer(service))
}

#[tokio::test(start_paused = true)]
async fn attempts_with_one_status_are_distinguished_by_the_head_of_the_response() {
    for behavior in [Behavior::Now, Behavior::After(Duration::from_millis(1))] {
        let limiter = limiter(ScriptedStore::new(behavior).store(), Quota::per_hour(2));
        let layer = RateLimitLayer::new(limiter, KeyBy::peer())
            .with_refund_if(|response| response.headers[LOCATION] == "/account");
        let app = redirecting(&layer);
        for (to, status) in [
            ("/account", 303),
            ("/account", 303),
            ("/account", 303),
            ("/sign-in", 303),
            ("/account", 303),
            ("/sign-in", 303),
            ("/account", 429),
        ] {
            let response = app.send(with(from(ANN), "x-to", to)).await;
            assert_eq!(response.status(), status, "{behavior:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_settlement_takes_precedence_over_the_layers_condition() {
    let ways: [fn(RateLimitLayer) -> RateLimitLayer; 3] = [
        RateLimitLayer::with_refunds,
        |layer| layer.with_refund_if(|_| true),
        |layer| layer.with_refund_if(|response| response.status != 303),
    ];
    for (way, refunds_by_itself) in ways.into_iter().zip([false, true, false]) {
        for behavior in [Behavior::Now, Behavior::After(Duration::from_millis(1))] {
            let limiter = limiter(ScriptedStore::new(behavior).store(), Quota::per_hour(3));
            let app = redirecting(&way(RateLimitLayer::new(limiter, KeyBy::peer())));
            let left = async |request: Request<()>| {
                let response = app.send(request).await;
                lines(response.headers(), "ratelimit")[0].to_owned()
            };
            let says = |says| with(from(ANN), "x-says", says);
            assert!(left(says("refund")).await.contains("r=3"));
            assert!(left(says("charge")).await.contains("r=2"));
            let silent = if refunds_by_itself { "r=2" } else { "r=1" };
            assert!(left(from(ANN)).await.contains(silent));
            assert!(left(says("refund")).await.contains(silent));
        }
    }
}

#[tokio::test]
async fn a_layer_without_refunds_ignores_the_settlement() {
    let (store, _) = model();
    let layer = RateLimitLayer::new(limiter(store, Quota::per_hour(2)), KeyBy::peer());
    let app = redirecting(&layer);
    let refund = || with(from(ANN), "x-says", "refund");
    for status in [303, 303, 429] {
        assert_eq!(app.send(refund()).await.status(), status);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refund_that_is_lost_costs_one_attempt_and_no_more_than_the_timeout() {
    for then in [
        Behavior::Fails(ErrorKind::NotSent),
        Behavior::Fails(ErrorKind::MayHaveRun),
        Behavior::Hangs,
    ] {
        for others in [0, 2] {
            let store = ScriptedStore::new(Behavior::Now);
            let layer = (0..others).fold(guesses(store.store()), |layer, other| {
                let name = format!("other{other}");
                let limiter = RateLimiter::new(store.store(), &name, Quota::per_hour(9)).unwrap();
                layer.and(Limit::new(limiter, KeyBy::peer()))
            });
            let app = answering(&layer, &store, then);
            let started = Instant::now();
            let response = app.send(to_get("200")).await;
            assert_eq!(response.status(), 200, "{then:?}");
            let elapsed = started.elapsed();
            assert!(
                elapsed <= RateLimitLayer::DEFAULT_TIMEOUT,
                "{then:?} {others} {elapsed:?}"
            );
            assert!(lines(response.headers(), "ratelimit")[0].starts_with(r#""test";r=4;"#));
            store.set(Behavior::Now);
            let left = limiter(store.store(), Quota::per_hour(5));
            let left = left.peek(("ip", larder_rate_limit::Network::of(ANN.parse().unwrap())));
            assert_eq!(left.await.unwrap().remaining(), 4, "{then:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_charged_in_this_process_is_given_back_in_this_process() {
    let store = ScriptedStore::new(Behavior::Fails(ErrorKind::NotSent));
    let (local, _) = model();
    let layer = guesses(store.store()).with_fail_mode(FailMode::local(local).unwrap());
    let app = answering(&layer, &store, Behavior::Fails(ErrorKind::NotSent));
    for _ in 0..20 {
        let response = app.send(to_get("200")).await;
        assert_eq!(
            lines(response.headers(), "ratelimit"),
            [r#""test";r=5;t=0"#]
        );
    }
    for _ in 0..5 {
        assert_eq!(app.send(to_get("401")).await.status(), 401);
    }
    assert_eq!(app.send(to_get("200")).await.status(), 429);

    // The store is back by the time of the refund, which is still the local one's.
    let back = answering(&layer, &store, Behavior::Now);
    store.set(Behavior::Fails(ErrorKind::NotSent));
    assert_eq!(back.send(to_get("200")).await.status(), 429);
    store.set(Behavior::Now);
    let response = back.send(to_get("401")).await;
    assert!(lines(response.headers(), "ratelimit")[0].starts_with(r#""test";r=4;"#));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_goes_away_stays_charged() {
    let store = ScriptedStore::new(Behavior::Now);
    let layer = guesses(store.store());
    let service = service_fn(|_: Request<()>| std::future::pending());
    let app = App::around(layer.layer(service));
    for _ in 0..5 {
        let waiting = tokio::time::timeout(Duration::from_secs(1), app.send(from(ANN)));
        assert!(waiting.await.is_err());
    }
    assert_eq!(app.status(ANN).await, 429);
}

#[tokio::test]
async fn an_exempt_request_asks_no_store() {
    let store = ScriptedStore::new(Behavior::Fails(ErrorKind::NotSent));
    let layer = RateLimitLayer::new(limiter(store.store(), Quota::per_hour(1)), KeyBy::peer())
        .with_fail_mode(FailMode::Closed)
        .with_exempt_if(|method, uri| method == http::Method::OPTIONS && uri.path() == "/");
    let app = App::new(layer);
    let mut preflight = from(ANN);
    *preflight.method_mut() = http::Method::OPTIONS;
    assert_eq!(app.send(preflight.clone()).await.status(), 200);
    *preflight.uri_mut() = "/elsewhere".parse().unwrap();
    assert_eq!(app.send(preflight).await.status(), 503);
    assert_eq!(app.status(ANN).await, 503);
}

/// Makes concurrent guesses, some of them right. Never more than the limit run at once, and in the end
/// exactly the wrong ones are charged.
async fn only_failed_attempts_are_charged(store: Arc<dyn Store>, rounds: u32) {
    const LIMIT: u32 = 40;
    let limiter = RateLimiter::new(store, "race", Quota::per_hour(LIMIT)).unwrap();
    for round in 0..rounds {
        let inside = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for number in 0..60 {
            let (limiter, inside) = (limiter.clone(), inside.clone());
            tasks.spawn(async move {
                let decision = limiter.check(round).await.unwrap();
                if !decision.is_allowed() {
                    return 0;
                }
                let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                assert!(now <= LIMIT as usize, "{now} are in");
                tokio::task::yield_now().await;
                let is_right = right_or_wrong(number) == "200";
                inside.fetch_sub(usize::from(is_right), Ordering::SeqCst);
                if is_right {
                    let _ = limiter.refund(round, decision).await.unwrap();
                }
                u32::from(!is_right)
            });
        }
        let wrong: u32 = tasks.join_all().await.into_iter().sum();
        let left = limiter.peek(round).await.unwrap().remaining();
        assert_eq!(left, LIMIT - wrong, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_attempts_only_the_failed_are_charged_on_the_reference() {
    only_failed_attempts_are_charged(model().0, 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_attempts_only_the_failed_are_charged_on_moka() {
    let clock = ManualClock::default();
    let store = MokaStore::builder().with_clock(clock).build();
    only_failed_attempts_are_charged(Arc::new(store), 1_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_attempts_only_the_failed_are_charged_on_redis() {
    let server = RedisServer::start().unwrap();
    // A machine that is busy with other tests keeps no deadline of 100 ms.
    let store = RedisStore::builder(&server.url()).with_timeout(Duration::from_secs(10));
    let store = store.connect().await.unwrap();
    only_failed_attempts_are_charged(Arc::new(store), 200).await;
}

#[tokio::test]
async fn a_refund_of_a_refusal_asks_no_store() {
    let store = ScriptedStore::new(Behavior::Now);
    let limiter = limiter(store.store(), Quota::per_hour(1));
    let _ = limiter.check("ann").await.unwrap();
    let refused = limiter.check("ann").await.unwrap();
    assert!(!refused.is_charged());
    store.set(Behavior::Hangs);
    assert_eq!(limiter.refund("ann", refused).await.unwrap(), refused);
}

#[tokio::test]
async fn a_refund_pays_back_what_the_request_cost() {
    let (store, _) = model();
    let search = limiter(store, Quota::per_hour(10));
    let search = search.with_cost(4).unwrap();
    let first = search.check("ann").await.unwrap();
    let _ = search.check("ann").await.unwrap();
    let after = search.refund("ann", first).await.unwrap();
    assert_eq!((after.remaining(), after.is_charged()), (6, false));
    assert_eq!(search.check("ann").await.unwrap().remaining(), 2);
}
