use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use larder_cache::{LoadError, LoaderLayer, Source};
use larder_test::service::{Failing, Failure, ReadyProbe, Stage};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::{Gate, load, near_films};

#[tokio::test]
async fn equal_requests_are_one_call_and_each_call_is_of_a_readied_instance() {
    let gate = Gate::closed();
    let held = gate.clone();
    let probe = ReadyProbe::new(service_fn(move |film: u32| {
        let gate = held.clone();
        async move {
            gate.pass().await;
            Ok::<_, Infallible>(film.to_string())
        }
    }));
    let watch = probe.watch();
    let service = LoaderLayer::new(near_films()).layer(probe);
    let calls: Vec<_> = (0..100)
        .map(|n| tokio::spawn(service.clone().oneshot(n % 2)))
        .collect();
    for _ in 0..2 {
        gate.arrived().await;
        gate.open();
    }
    for (n, call) in calls.into_iter().enumerate() {
        let found = call.await.unwrap().unwrap();
        assert_eq!(found.as_str(), (n % 2).to_string());
    }
    assert_eq!(watch.calls(), 2);
    assert_eq!(watch.violations(), []);
    let hit = service.oneshot(1).await.unwrap();
    assert_eq!(hit.source, Source::Near);
    assert_eq!(watch.calls(), 2);
}

#[tokio::test]
async fn an_error_at_either_stage_reaches_the_caller_and_is_not_cached() {
    for stage in [Stage::Readiness, Stage::Call] {
        let films = near_films();
        let service = LoaderLayer::new(films.clone()).layer(Failing::<String>::at(stage));
        for _ in 0..2 {
            let error = service.clone().oneshot(7).await.unwrap_err();
            assert_eq!(**error.loader().unwrap(), Failure(stage));
        }
        assert_eq!(load(&films, &7, "Metropolis").await, "Metropolis");
    }
}

/// A service that is never ready.
#[derive(Clone)]
struct Busy;

impl Service<u32> for Busy {
    type Response = String;
    type Error = Infallible;
    type Future = std::future::Ready<Result<String, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Pending
    }

    fn call(&mut self, _: u32) -> Self::Future {
        std::future::ready(Ok(String::new()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_hit_needs_no_ready_service_and_a_miss_waits_no_longer_than_the_deadline() {
    let films = near_films();
    films.insert(7, "Metropolis".to_owned()).await.unwrap();
    let service = LoaderLayer::new(films).layer(Busy);
    let hit = service.clone().oneshot(7).await.unwrap();
    assert_eq!(hit.as_str(), "Metropolis");
    let late = service.oneshot(8).await;
    assert!(matches!(late, Err(LoadError::TimedOut)), "{late:?}");
}

#[tokio::test]
async fn a_call_goes_on_after_its_caller_is_dropped() {
    let (gate, calls) = (Gate::closed(), Arc::new(AtomicUsize::new(0)));
    let (held, counted) = (gate.clone(), calls.clone());
    let service = LoaderLayer::new(near_films()).layer(service_fn(move |film: u32| {
        counted.fetch_add(1, Ordering::SeqCst);
        let gate = held.clone();
        async move {
            gate.pass().await;
            Ok::<_, Infallible>(film.to_string())
        }
    }));
    let first = tokio::spawn(service.clone().oneshot(7));
    gate.arrived().await;
    first.abort();
    let second = tokio::spawn(service.oneshot(7));
    tokio::task::yield_now().await;
    gate.open();
    assert_eq!(second.await.unwrap().unwrap().as_str(), "7");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_future_that_is_polled_after_its_answer_waits() {
    let inner = service_fn(|film: u32| async move { Ok::<_, Infallible>(film.to_string()) });
    let mut service = LoaderLayer::new(near_films()).layer(inner);
    for source in [Source::Loaded, Source::Near] {
        let mut future = pin!(service.call(7));
        assert_eq!(future.as_mut().await.unwrap().source, source);
        let again = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending()));
        assert!(again.await, "{source:?}");
    }
}

#[test]
fn the_inner_service_can_be_reached() {
    let mut service = LoaderLayer::new(near_films()).layer(7_u8);
    *service.get_mut() += *service.get_ref();
    assert_eq!(service.into_inner(), 14);
}
