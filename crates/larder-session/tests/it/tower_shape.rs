use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use larder_session::{Session, SessionLayer, SessionService, UserId};
use larder_test::service::{ReadyProbe, check_errors};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::{Time, World};

async fn layer() -> SessionLayer {
    SessionLayer::new(World::memory(Time::Manual).await.sessions())
}

#[tokio::test]
async fn the_instance_that_was_polled_ready_is_the_one_that_is_called() {
    let probe = ReadyProbe::new(service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let watch = probe.watch();
    let mut service = layer().await.layer(probe);
    for _ in 0..3 {
        let ready = service.ready().await.unwrap();
        ready.call(Request::new(())).await.unwrap();
    }
    assert_eq!(watch.violations(), []);
    assert_eq!(watch.calls(), 3);
}

#[tokio::test]
async fn errors_of_the_inner_service_pass_unchanged() {
    let request = || Request::new(());
    let violations = check_errors::<_, _, Response<Full<Bytes>>>(&layer().await, request).await;
    assert_eq!(violations, []);
}

#[tokio::test]
async fn a_body_goes_through_as_it_is() {
    let inner = service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("page")))
    });
    let service: SessionService<_> = layer().await.layer(inner);
    let response = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(http_body::Body::size_hint(response.body()).exact(), Some(4));
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "page"
    );
}

#[tokio::test]
async fn a_future_that_is_polled_after_its_answer_waits_and_polls_nothing() {
    for (writes, fails) in [(false, false), (true, false), (false, true)] {
        let inner = service_fn(move |request: Request<()>| async move {
            if writes {
                let session = request.extensions().get::<Session>().unwrap();
                session.log_in(UserId::new("ada").unwrap()).await.unwrap();
            }
            match fails {
                false => Ok(Response::new(Full::<Bytes>::default())),
                true => Err("the service failed"),
            }
        });
        let mut service = layer().await.layer(inner);
        let mut future = pin!(service.call(Request::new(())));
        assert_eq!(future.as_mut().await.is_err(), fails);
        let again = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending()));
        assert!(again.await, "writes: {writes}, fails: {fails}");
    }
}

#[tokio::test]
async fn the_inner_service_can_be_reached() {
    let mut service = layer().await.layer(7_u8);
    *service.get_mut() += *service.get_ref();
    assert_eq!(service.into_inner(), 14);
}
