//! Wrong layers, and the violations that the probes find in them.

use std::future::{Ready, poll_fn, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use tower_layer::{Layer, layer_fn};
use tower_service::Service;

use super::*;

#[derive(Clone)]
struct Echo;

impl Service<u8> for Echo {
    type Response = u8;
    type Error = Failure;
    type Future = Ready<Result<u8, Failure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u8) -> Self::Future {
        ready(Ok(request))
    }
}

/// Boxes its future, and calls the instance that `pick` returns from inside it.
struct Late<S> {
    inner: S,
    pick: fn(&mut S) -> S,
}

impl<S> Service<u8> for Late<S>
where
    S: Service<u8, Response = u8> + Send + 'static,
    S::Future: Send,
{
    type Response = u8;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<u8, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: u8) -> Self::Future {
        let mut inner = (self.pick)(&mut self.inner);
        Box::pin(async move { inner.call(request).await })
    }
}

/// Always reports that it is ready, and always answers, whatever the inner service does.
struct Cheerful<S>(S);

impl<S: Service<u8, Response = u8>> Service<u8> for Cheerful<S> {
    type Response = u8;
    type Error = S::Error;
    type Future = Ready<Result<u8, S::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u8) -> Self::Future {
        drop(self.0.call(request));
        ready(Ok(0))
    }
}

async fn call_twice<S: Service<u8, Response = u8, Error = Failure>>(mut service: S) {
    for request in 0..2 {
        poll_fn(|cx| service.poll_ready(cx)).await.unwrap();
        assert_eq!(service.call(request).await, Ok(request));
    }
}

#[tokio::test]
async fn a_layer_that_calls_a_clone_is_caught_at_each_call() {
    let probe = ReadyProbe::new(Echo);
    let watch = probe.watch();
    call_twice(Late {
        inner: probe,
        pick: |inner| inner.clone(),
    })
    .await;
    assert_eq!(watch.calls(), 2);
    assert_eq!(watch.violations(), [TowerViolation::CalledUnready; 2]);
}

#[tokio::test]
async fn a_layer_that_calls_what_it_readied_is_not() {
    let probe = ReadyProbe::new(Echo);
    let watch = probe.watch();
    call_twice(Late {
        inner: probe,
        pick: |inner| {
            let fresh = inner.clone();
            std::mem::replace(inner, fresh)
        },
    })
    .await;
    assert_eq!((watch.calls(), watch.violations().len()), (2, 0));
}

#[tokio::test]
async fn one_readiness_is_good_for_one_call() {
    let mut probe = ReadyProbe::new(Echo);
    let watch = probe.watch();
    poll_fn(|cx| probe.poll_ready(cx)).await.unwrap();
    for _ in 0..2 {
        probe.call(1).await.unwrap();
    }
    assert_eq!(watch.violations(), [TowerViolation::CalledUnready]);
}

#[tokio::test]
async fn a_layer_that_hides_errors_is_caught() {
    let cheerful = layer_fn(Cheerful::<Failing<u8>>);
    assert_eq!(
        check_errors(&cheerful, || 1).await,
        [
            TowerViolation::HidReadinessError,
            TowerViolation::HidCallError
        ]
    );
}

#[tokio::test]
async fn a_layer_that_passes_errors_on_is_not() {
    struct Plain;
    impl<S> Layer<S> for Plain {
        type Service = S;

        fn layer(&self, inner: S) -> S {
            inner
        }
    }
    assert_eq!(check_errors::<_, u8, u8>(&Plain, || 1).await, []);
}
