//! Reservations that are settled are counted apart from refunds.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use larder_rate_limit::{KeyBy, Policy, Quota, RateLimitLayer, RateLimiter, Settlement};
use larder_store::ErrorKind;
use larder_test::MetricValues;
use metrics::with_local_recorder;
use tower::{Layer, service_fn};

use crate::support::{App, Behavior, ScriptedStore, from, model, with};

fn tokens(counters: &MetricValues, store: std::sync::Arc<dyn larder_store::Store>) -> RateLimiter {
    let policy = Policy::new(Quota::per_hour(100)).with_reservations(Duration::from_secs(60));
    with_local_recorder(counters, || RateLimiter::new(store, "test", policy)).unwrap()
}

fn of(counters: &MetricValues) -> Vec<(String, u64)> {
    let counts = counters.counts().into_iter();
    let counts = counts.filter(|(name, _)| !name.contains("decisions"));
    let short = |name: String| name.trim_start_matches("larder_rate_limit_").to_owned();
    counts.map(|(name, count)| (short(name), count)).collect()
}

#[tokio::test]
async fn a_reservation_that_a_layer_settles_is_a_refund_only_if_the_handler_refunds_it() {
    let counters = MetricValues::default();
    let limiter = tokens(&counters, model().0);
    let layer = with_local_recorder(&counters, || {
        RateLimitLayer::new(limiter, KeyBy::peer()).with_settled_cost(|_| Some(3))
    });
    let service = service_fn(|request: Request<()>| async move {
        let mut response = Response::new(Full::<Bytes>::default());
        if request.headers().contains_key("x-refund") {
            response.extensions_mut().insert(Settlement::Refund);
        }
        Ok(response)
    });
    let app = App::around(layer.layer(service));
    for _ in 0..2 {
        assert_eq!(app.status("192.0.2.1").await, 200);
    }
    let refunded = with(from("192.0.2.1"), "x-refund", "yes");
    assert_eq!(app.send(refunded).await.status(), 200);
    let expected = [
        ("refunds_total test done", 1),
        ("settlements_total test done", 2),
    ];
    assert_eq!(
        of(&counters),
        expected.map(|(name, count)| (name.to_owned(), count))
    );
}

#[tokio::test]
async fn a_settlement_without_a_layer_is_counted_and_a_cancellation_as_a_refund() {
    let counters = MetricValues::default();
    let store = ScriptedStore::new(Behavior::Now);
    let limiter = tokens(&counters, store.store());
    for fails in [false, true] {
        store.set(Behavior::Now);
        let reservation = limiter.reserve("ada", 5).await.unwrap().held().unwrap();
        if fails {
            store.set(Behavior::Fails(ErrorKind::NotSent));
        }
        assert_eq!(reservation.settle(3).await.is_err(), fails);
    }
    for fails in [false, true] {
        store.set(Behavior::Now);
        let reservation = limiter.reserve("ada", 5).await.unwrap().held().unwrap();
        if fails {
            store.set(Behavior::Fails(ErrorKind::NotSent));
        }
        assert_eq!(reservation.cancel().await.is_err(), fails);
    }
    let expected = [
        ("refunds_total test done", 1),
        ("refunds_total test lost", 1),
        ("settlements_total test done", 1),
        ("settlements_total test lost", 1),
    ];
    assert_eq!(
        of(&counters),
        expected.map(|(name, count)| (name.to_owned(), count))
    );
}
