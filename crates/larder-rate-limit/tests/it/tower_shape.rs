//! The contract of tower services.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};
use larder_rate_limit::{KeyBy, Quota, RateLimitLayer};
use larder_test::service::{Failing, ReadyProbe, Stage, check_errors};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::{Behavior, Reply, ScriptedStore, from, hello, limiter};

const BEHAVIORS: [Behavior; 2] = [Behavior::Now, Behavior::After(Duration::from_millis(1))];

fn layer(behavior: Behavior) -> RateLimitLayer {
    let limiter = limiter(ScriptedStore::new(behavior).store(), Quota::per_hour(3));
    RateLimitLayer::new(limiter, KeyBy::peer())
}

#[tokio::test]
async fn the_instance_that_was_polled_ready_is_the_one_that_is_called() {
    for behavior in BEHAVIORS {
        let probe = ReadyProbe::new(hello());
        let watch = probe.watch();
        let mut service = layer(behavior).layer(probe);
        for _ in 0..6 {
            service.ready().await.unwrap();
            service.call(from("192.0.2.1")).await.unwrap();
        }
        assert_eq!(watch.violations(), [], "{behavior:?}");
        assert_eq!(watch.calls(), 3, "refused requests never reach it");
    }
}

#[tokio::test]
async fn errors_of_the_inner_service_pass_unchanged() {
    for behavior in BEHAVIORS {
        let request = || from("192.0.2.1");
        let violations = check_errors::<_, Request<()>, Reply>(&layer(behavior), request).await;
        assert_eq!(violations, [], "{behavior:?}");
    }
}

#[tokio::test]
async fn any_request_body_and_any_response_body_do() {
    let boxed = service_fn(|_: Request<Full<Bytes>>| async {
        let body: BoxBody<Bytes, Infallible> = BodyExt::boxed(Empty::new());
        Ok::<_, Infallible>(Response::new(body))
    });
    let request = from("192.0.2.1").map(|()| Full::<Bytes>::default());
    let response = layer(Behavior::Now)
        .layer(boxed)
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "");
}

#[tokio::test]
async fn services_of_one_layer_share_the_limit() {
    let layer = layer(Behavior::Now);
    let mut passed = 0;
    for _ in 0..5 {
        let service = layer.clone().layer(hello());
        let response = service.oneshot(from("192.0.2.1")).await.unwrap();
        passed += u32::from(response.status().is_success());
    }
    assert_eq!(passed, 3);
}

#[tokio::test]
async fn a_dropped_request_reaches_nobody() {
    let probe = ReadyProbe::new(hello());
    let watch = probe.watch();
    let mut service = layer(Behavior::Hangs).layer(probe);
    service.ready().await.unwrap();
    let call = service.call(from("192.0.2.1"));
    assert!(
        tokio::time::timeout(Duration::from_millis(5), call)
            .await
            .is_err()
    );
    assert_eq!(watch.calls(), 0);
}

#[test]
fn the_service_and_its_future_can_be_sent() {
    fn sent<T: Send>(_: &T) {}
    let mut service = layer(Behavior::Now).layer(Failing::<Reply>::at(Stage::Call));
    sent(&service);
    sent(&service.call(from("192.0.2.1")));
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_polled_after_its_answer_waits_and_polls_nothing() {
    for behavior in BEHAVIORS {
        let refunding = layer(behavior).with_refund_if(|_| true);
        for layer in [layer(behavior), refunding] {
            let mut service = layer.layer(hello());
            // The last is refused, unless the charges are refunded.
            for _ in 0..4 {
                let mut future = pin!(service.call(from("192.0.2.1")));
                future.as_mut().await.unwrap();
                let again = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending()));
                assert!(again.await, "{behavior:?}");
            }
        }
        let mut fails = layer(behavior).layer(service_fn(|_: Request<()>| async {
            Err::<Reply, _>("the service failed")
        }));
        let mut future = pin!(fails.call(from("192.0.2.1")));
        future.as_mut().await.unwrap_err();
        let again = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending()));
        assert!(again.await, "{behavior:?}");
    }
}

#[test]
fn the_inner_service_can_be_reached() {
    let mut service = layer(Behavior::Now).layer(7_u8);
    *service.get_mut() += *service.get_ref();
    assert_eq!(service.into_inner(), 14);
}
