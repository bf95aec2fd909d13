use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use larder_cache::{LoadError, Source};
use larder_store::ManualClock;
use tokio::time::Instant;

use crate::support::{Act, Broken, Gate, Operation, far_films, films, load, near_films};

/// Begins eight callers of one load, which runs `fail` when all of them wait for it.
macro_rules! eight_callers {
    ($films:expr, $fail:expr) => {{
        let gate = Gate::closed();
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let (films, gate) = ($films.clone(), gate.clone());
                tokio::spawn(async move {
                    let load = || async move {
                        gate.pass().await;
                        $fail
                    };
                    films.get_or_load(&7, load).await.unwrap_err()
                })
            })
            .collect();
        gate.arrived().await;
        tokio::task::yield_now().await;
        gate.open();
        let mut errors = Vec::new();
        for caller in callers {
            errors.push(caller.await.unwrap());
        }
        errors
    }};
}

#[tokio::test]
async fn an_error_reaches_every_waiting_caller_and_is_not_cached() {
    let films = near_films();
    let errors = eight_callers!(films, Err::<String, _>(Broken("no film")));
    let first = errors[0].loader().unwrap();
    assert_eq!(**first, Broken("no film"));
    for error in &errors {
        assert!(Arc::ptr_eq(error.loader().unwrap(), first));
    }
    assert_eq!(load(&films, &7, "Metropolis").await, "Metropolis");
}

#[tokio::test]
async fn a_panic_reaches_every_waiting_caller_and_the_next_call_loads() {
    let films = near_films();
    let errors = eight_callers!(films, {
        panic_on_purpose();
        Ok::<String, Infallible>(String::new())
    });
    assert_eq!(errors.len(), 8);
    for error in &errors {
        assert!(matches!(error, LoadError::Panicked), "{error:?}");
    }
    assert_eq!(films.loads_in_flight(), 0);
    assert_eq!(load(&films, &7, "Metropolis").await, "Metropolis");
}

fn panic_on_purpose() {
    assert!(std::hint::black_box(false), "on purpose");
}

#[tokio::test]
async fn a_loader_that_panics_before_its_future_is_made_panics_no_caller() {
    let films = near_films();
    let error = films
        .get_or_load(&7, || {
            panic_on_purpose();
            async { Ok::<_, Infallible>(String::new()) }
        })
        .await
        .unwrap_err();
    assert!(matches!(error, LoadError::Panicked), "{error:?}");
    assert_eq!(films.loads_in_flight(), 0);
    assert_eq!(load(&films, &7, "Metropolis").await, "Metropolis");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_past_the_deadline_and_the_load_is_dropped_at_it() {
    let deadline = Duration::from_secs(3);
    let films = films(&ManualClock::default())
        .with_load_timeout(deadline)
        .build()
        .unwrap();
    let began = Instant::now();
    let stuck = || pending::<Result<String, Infallible>>();
    let leader = tokio::spawn({
        let films = films.clone();
        async move { films.get_or_load(&7, stuck).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let late = films.get_or_load(&7, stuck).await;
    assert!(matches!(late, Err(LoadError::TimedOut)), "{late:?}");
    assert!(matches!(leader.await.unwrap(), Err(LoadError::TimedOut)));
    assert!(began.elapsed() < deadline + Duration::from_millis(10));
    assert_eq!(films.loads_in_flight(), 0);
    assert_eq!(load(&films, &7, "Metropolis").await, "Metropolis");
}

#[test]
fn a_caller_that_waits_for_a_load_whose_runtime_shuts_down_gets_an_error() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let (dying, living) = (runtime(), runtime());
    let (films, gate) = (near_films(), Gate::closed());
    {
        let (films, gate) = (films.clone(), gate.clone());
        dying.spawn(async move {
            let load = || async move {
                gate.pass().await;
                Ok::<_, Infallible>(String::new())
            };
            films.get_or_load(&7, load).await
        });
    }
    living.block_on(gate.arrived());
    let follower = {
        let films = films.clone();
        living.spawn(async move {
            let load = || async { Ok::<_, Infallible>("loaded anew".to_owned()) };
            films.get_or_load(&7, load).await
        })
    };
    // The follower must not hang, whether it joins before the runtime ends or after that.
    dying.shutdown_timeout(Duration::from_secs(5));
    match living.block_on(follower).unwrap() {
        Err(error) => assert!(matches!(error, LoadError::Abandoned), "{error:?}"),
        Ok(value) => assert_eq!(*value, "loaded anew"),
    }
    assert_eq!(films.loads_in_flight(), 0);
    assert!(!living.block_on(load(&films, &7, "Metropolis")).is_empty());
}

#[test]
fn a_caller_that_waits_for_a_load_whose_runtime_stands_still_times_out() {
    let runtime = |paused| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(paused)
            .build()
            .unwrap()
    };
    let (stalled, living) = (runtime(false), runtime(true));
    let (films, gate) = (near_films(), Gate::closed());
    stalled.block_on(async {
        let (films, held) = (films.clone(), gate.clone());
        tokio::spawn(async move {
            let load = || async move {
                held.pass().await;
                Ok::<_, Infallible>(String::new())
            };
            films.get_or_load(&7, load).await
        });
        gate.arrived().await;
    });
    // That runtime is no longer driven, so nothing in it finishes, not even its timers.
    living.block_on(async {
        let began = Instant::now();
        let load = || async { Ok::<_, Infallible>(String::new()) };
        let late = films.get_or_load(&7, load).await;
        assert!(matches!(late, Err(LoadError::TimedOut)), "{late:?}");
        // 10 s is the default.
        assert_eq!(began.elapsed().as_secs(), 10);
    });
}

#[tokio::test]
async fn a_far_store_that_fails_is_a_miss_and_is_not_asked_again_by_the_same_load() {
    let (films, store) = far_films();
    store.stage(Operation::Get, Act::Fail);
    assert!(films.get(&7).await.is_none());
    let load = || async { Ok::<_, Infallible>("Metropolis".to_owned()) };
    let found = films.find_or_load(&7, load).await.unwrap();
    assert_eq!(found.source, Source::Loaded);
    assert_eq!(store.count(Operation::Put), 0);
    assert_eq!(*films.get_near(&7).unwrap(), "Metropolis");
}

#[tokio::test(start_paused = true)]
async fn a_far_store_that_hangs_costs_a_load_the_far_timeout_once() {
    let (films, store) = far_films();
    for operation in [Operation::Get, Operation::Put, Operation::Delete] {
        store.stage(operation, Act::Hang);
    }
    let began = Instant::now();
    assert_eq!(load(&films, &7, "Metropolis").await, "Metropolis");
    assert_eq!(began.elapsed().as_millis() / 10, 15);

    let began = Instant::now();
    assert!(films.insert(8, "Sunrise".to_owned()).await.is_err());
    assert!(films.remove(&7).await.is_err());
    assert!(began.elapsed() < Duration::from_millis(310));
    assert_eq!(*films.get_near(&8).unwrap(), "Sunrise");
    assert!(films.get_near(&7).is_none());
}

#[tokio::test(start_paused = true)]
async fn many_inserts_into_a_far_store_that_hangs_do_not_queue_past_the_far_timeout() {
    let (films, store) = far_films();
    store.stage(Operation::Put, Act::Hang);
    let began = Instant::now();
    let inserts: Vec<_> = (0..100)
        .map(|_| {
            let films = films.clone();
            tokio::spawn(async move { films.insert(7, "Metropolis".to_owned()).await })
        })
        .collect();
    for insert in inserts {
        assert!(insert.await.unwrap().is_err());
    }
    assert!(
        began.elapsed() < Duration::from_millis(310),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_far_write_that_fails_costs_the_caller_nothing() {
    let (films, store) = far_films();
    store.stage(Operation::Put, Act::Fail);
    assert_eq!(load(&films, &7, "Metropolis").await, "Metropolis");
    assert_eq!(*films.get_near(&7).unwrap(), "Metropolis");
}

#[test]
#[should_panic(expected = "there is no reactor running")]
fn a_load_outside_a_runtime_panics() {
    let films = near_films();
    let load = films.get_or_load(&7, || async { Ok::<_, Infallible>(String::new()) });
    let waker = std::task::Waker::noop();
    let _ = std::pin::pin!(load).poll(&mut std::task::Context::from_waker(waker));
}
