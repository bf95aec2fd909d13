//! Refunds: attempts that are charged before they run, and given back if they succeed.

use std::convert::Infallible;
use std::time::Duration;

use http::header::LOCATION;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use larder_rate_limit::{FailMode, KeyBy, Limit, Quota, RateLimitLayer, RateLimiter, Settlement};
use larder_store::ErrorKind;
use tokio::time::Instant;
use tower::{Layer, service_fn};

use crate::support::{
    App, Behavior, Reply, ScriptedStore, from, layer, limiter, lines, model, with,
};
use crate::world::on_every_store;

const ANN: &str = "192.0.2.1";

/// A request that asks for this status.
fn to_get(status: &str) -> Request<()> {
    with(from(ANN), "x-status", status)
}

/// Answers with the requested status.
async fn answer(request: Request<()>) -> Result<Reply, Infallible> {
    let status = &request.headers()["x-status"];
    let mut response = Response::new(Full::from("hello"));
    *response.status_mut() = StatusCode::from_bytes(status.as_bytes()).unwrap();
    Ok(response)
}

/// Sets the store's behavior, and then answers with the requested status.
fn answering(layer: &RateLimitLayer, store: &ScriptedStore, then: Behavior) -> App {
    let store = store.clone();
    let service = service_fn(move |request: Request<()>| {
        store.set(then);
        answer(request)
    });
    App::around(layer.layer(service))
}

/// Gives back all but failed attempts.
fn guesses(limiter: RateLimiter) -> RateLimitLayer {
    RateLimitLayer::new(limiter, KeyBy::peer())
        .with_refund_if(|response| response.status != StatusCode::UNAUTHORIZED)
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

on_every_store! {
    async fn failed_attempts_count_and_successful_ones_do_not(world: World) {
        let layer = guesses(world.limiter(Quota::per_hour(5)))
            .with_store_timeout(Duration::from_secs(30))
            .with_fail_mode(FailMode::Closed);
        let app = App::around(layer.layer(service_fn(answer)));
        for right in 1..20 {
            let response = app.send(to_get("200")).await;
            assert_eq!(response.status(), 200, "the {right}. right one");
            assert_eq!(lines(response.headers(), "ratelimit"), [r#""test";r=5;t=0"#]);
        }
        for left in [4, 3, 2, 1, 0] {
            let response = app.send(to_get("401")).await;
            assert_eq!(response.status(), 401);
            let limit = lines(response.headers(), "ratelimit");
            assert!(limit[0].starts_with(&format!(r#""test";r={left};"#)), "{limit:?}");
        }
        for status in ["401", "200"] {
            assert_eq!(app.send(to_get(status)).await.status(), 429);
        }
    }

    async fn attempts_with_one_status_are_distinguished_by_the_head_of_the_response(world: World) {
        let layer = layer(world.limiter(Quota::per_hour(2)), KeyBy::peer())
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
            assert_eq!(response.status(), status);
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
            let layer = (0..others).fold(
                guesses(limiter(store.store(), Quota::per_hour(5))),
                |layer, other| {
                    let name = format!("other{other}");
                    let limiter =
                        RateLimiter::new(store.store(), &name, Quota::per_hour(9)).unwrap();
                    layer.and(Limit::new(limiter, KeyBy::peer()))
                },
            );
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
    let layer = guesses(limiter(store.store(), Quota::per_hour(5)))
        .with_fail_mode(FailMode::local(local).unwrap());
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
    let layer = guesses(limiter(store.store(), Quota::per_hour(5)));
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
