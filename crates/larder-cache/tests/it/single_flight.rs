use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder_cache::{Cache, LoadError, Loaded, Source};
use larder_store::{IdWriter, KeyId, ManualClock};

use crate::support::{Broken, FILM, Gate, MINUTE, Operation, far_films, films, load, near_films};

#[tokio::test]
async fn a_thousand_callers_of_one_missing_key_run_one_loader_and_one_far_read() {
    let (films, store) = far_films();
    let (gate, loads) = (Gate::closed(), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..1_000)
        .map(|_| {
            let (films, gate, loads) = (films.clone(), gate.clone(), loads.clone());
            tokio::spawn(async move {
                films
                    .find_or_load(&7, || async move {
                        loads.fetch_add(1, Ordering::SeqCst);
                        gate.pass().await;
                        Ok::<_, Infallible>("Metropolis".to_owned())
                    })
                    .await
                    .unwrap()
            })
        })
        .collect();
    gate.arrived().await;
    gate.open();

    let mut sources = HashMap::new();
    for caller in callers {
        let found = caller.await.unwrap();
        assert_eq!(found.as_str(), "Metropolis");
        *sources.entry(found.source).or_insert(0) += 1;
    }
    assert_eq!(
        sources,
        HashMap::from([(Source::Loaded, 1), (Source::Coalesced, 999)])
    );
    assert_eq!(loads.load(Ordering::SeqCst), 1);
    assert_eq!(
        (store.count(Operation::Get), store.count(Operation::Put)),
        (1, 1)
    );
    assert_eq!(films.loads_in_flight(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_threads_interleave_a_key_is_loaded_once() {
    let films = near_films();
    for film in 0..500 {
        let loads = Arc::new(AtomicUsize::new(0));
        let callers: Vec<_> = (0..16)
            .map(|_| {
                let (films, loads) = (films.clone(), loads.clone());
                tokio::spawn(async move {
                    films
                        .get_or_load(&film, || async move {
                            loads.fetch_add(1, Ordering::SeqCst);
                            Ok::<_, Infallible>(film.to_string())
                        })
                        .await
                        .unwrap()
                })
            })
            .collect();
        for caller in callers {
            assert_eq!(*caller.await.unwrap(), film.to_string());
        }
        assert_eq!(loads.load(Ordering::SeqCst), 1, "film {film}");
    }
}

#[tokio::test]
async fn the_first_caller_going_away_cancels_nothing() {
    let films = near_films();
    let (gate, loads) = (Gate::closed(), Arc::new(AtomicUsize::new(0)));
    let call = || {
        let (films, gate, loads) = (films.clone(), gate.clone(), loads.clone());
        tokio::spawn(async move {
            films
                .find_or_load(&7, || async move {
                    loads.fetch_add(1, Ordering::SeqCst);
                    gate.pass().await;
                    Ok::<_, Infallible>("Metropolis".to_owned())
                })
                .await
                .unwrap()
        })
    };
    let first = call();
    gate.arrived().await;
    let second = call();
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());

    gate.open();
    let found = second.await.unwrap();
    assert_eq!(
        (found.as_str(), found.source),
        ("Metropolis", Source::Coalesced)
    );
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_load_that_nobody_waits_for_any_more_is_cached_all_the_same() {
    let films = near_films();
    let gate = Gate::closed();
    let caller = {
        let (films, gate) = (films.clone(), gate.clone());
        tokio::spawn(async move {
            let load = || async move {
                gate.pass().await;
                Ok::<_, Infallible>("Metropolis".to_owned())
            };
            films.get_or_load(&7, load).await
        })
    };
    gate.arrived().await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    gate.open();
    while films.loads_in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(*films.get_near(&7).unwrap(), "Metropolis");
}

#[tokio::test]
async fn one_key_does_not_wait_for_another() {
    let films = near_films();
    let gate = Gate::closed();
    let held = {
        let (films, gate) = (films.clone(), gate.clone());
        tokio::spawn(async move {
            let load = || async move {
                gate.pass().await;
                Ok::<_, Infallible>("Metropolis".to_owned())
            };
            films.get_or_load(&7, load).await.unwrap()
        })
    };
    gate.arrived().await;
    for film in 100..3_000 {
        assert_eq!(load(&films, &film, "another").await, "another");
    }
    gate.open();
    assert_eq!(*held.await.unwrap(), "Metropolis");
}

#[tokio::test]
async fn one_load_more_than_the_cap_is_refused_and_a_place_that_is_free_is_taken() {
    let films = films(&ManualClock::default())
        .with_max_loads(2)
        .build()
        .unwrap();
    let gate = Gate::closed();
    let held: Vec<_> = (1..=2)
        .map(|film| {
            let (films, gate) = (films.clone(), gate.clone());
            tokio::spawn(async move {
                let load = || async move {
                    gate.pass().await;
                    Ok::<_, Infallible>(String::new())
                };
                films.get_or_load(&film, load).await.unwrap()
            })
        })
        .collect();
    gate.arrived().await;
    gate.arrived().await;
    let refused = films
        .get_or_load(&3, || async { Ok::<_, Infallible>(String::new()) })
        .await;
    assert!(matches!(refused, Err(LoadError::Overloaded)), "{refused:?}");
    assert_eq!(films.loads_in_flight(), 2);

    gate.open();
    gate.open();
    for held in held {
        held.await.unwrap();
    }
    assert_eq!(load(&films, &3, "Sunrise").await, "Sunrise");
    assert_eq!(films.loads_in_flight(), 0);
}

#[tokio::test]
async fn a_caller_with_another_error_type_loads_for_itself() {
    let films = near_films();
    let gate = Gate::closed();
    let leader = {
        let (films, gate) = (films.clone(), gate.clone());
        tokio::spawn(async move {
            let load = || async move {
                gate.pass().await;
                Err::<String, _>(Broken("no film"))
            };
            films.get_or_load(&7, load).await
        })
    };
    gate.arrived().await;
    let follower = {
        let films = films.clone();
        tokio::spawn(async move {
            let load = || async { Ok::<_, std::io::Error>("Metropolis".to_owned()) };
            films.find_or_load(&7, load).await.unwrap()
        })
    };
    tokio::task::yield_now().await;
    gate.open();
    assert!(leader.await.unwrap().unwrap_err().loader().is_some());
    let found = follower.await.unwrap();
    assert_eq!(
        (found.as_str(), found.source),
        ("Metropolis", Source::Loaded)
    );
}

#[tokio::test]
async fn an_uncached_value_reaches_the_waiting_callers_and_nobody_later() {
    let (films, store) = far_films();
    let load = || async { Ok::<_, Infallible>(Loaded::new("now".to_owned()).uncached()) };
    let found = films.find_or_load(&7, load).await.unwrap();
    assert_eq!((found.as_str(), found.source), ("now", Source::Loaded));
    assert!(films.get(&7).await.is_none());
    assert_eq!(store.count(Operation::Put), 0);
}

type Act = (usize, Box<dyn FnOnce()>);

thread_local! {
    /// After how many hashes of a [`Watched`] key to act, and the act.
    static BETWEEN: RefCell<Option<Act>> = const { RefCell::new(None) };
}

/// A key that lets a test act between two steps of the cache, each of which hashes it.
#[derive(Clone, PartialEq, Eq)]
struct Watched(u32);

impl Hash for Watched {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
        let due = BETWEEN.take().and_then(|(times, act)| match times {
            0 => Some(act),
            _ => {
                BETWEEN.set(Some((times - 1, act)));
                None
            }
        });
        if let Some(act) = due {
            act();
        }
    }
}

impl KeyId for Watched {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        id.number(self.0);
    }
}

#[tokio::test]
async fn a_value_inserted_between_the_miss_and_the_join_is_not_loaded_again() {
    let films = Cache::<Watched, String>::builder(FILM, MINUTE)
        .build()
        .unwrap();
    let other = films.clone();
    let insert_it = move || {
        let insert = std::pin::pin!(other.insert(Watched(7), "inserted".to_owned()));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(insert.poll(&mut context).is_ready());
    };
    // The first hash is of the near read, which misses; the next is of the join.
    BETWEEN.set(Some((1, Box::new(insert_it))));
    let load = || async { Ok::<_, Infallible>("loaded".to_owned()) };
    let found = films.find_or_load(&Watched(7), load).await.unwrap();
    assert_eq!((found.as_str(), found.source), ("inserted", Source::Near));
    assert!(BETWEEN.take().is_none());
}

/// The size of the future is the memory of each waiting caller.
#[test]
fn a_call_that_waits_is_a_small_future() {
    let films = near_films();
    let load = || async { Ok::<_, Infallible>("Metropolis".to_owned()) };
    let sizes = [
        size_of_val(&films.get_or_load(&7, load)),
        size_of_val(&films.find_or_load(&7, load)),
    ];
    assert!(sizes.iter().all(|bytes| *bytes <= 1_280), "{sizes:?} bytes");
}

#[tokio::test(start_paused = true)]
async fn a_load_has_its_whole_time_though_its_caller_has_waited_for_another_one() {
    let films = near_films();
    let seconds = |seconds| tokio::time::sleep(std::time::Duration::from_secs(seconds));
    let first = tokio::spawn({
        let films = films.clone();
        async move {
            let load = || async move {
                seconds(9).await;
                Err::<String, _>(Broken("away"))
            };
            films.get_or_load(&7, load).await.unwrap_err()
        }
    });
    tokio::task::yield_now().await;
    let second = tokio::spawn({
        let films = films.clone();
        async move {
            // An error of another type is not for this call, which then loads.
            let load = || async move {
                seconds(5).await;
                Ok::<_, Infallible>("new".to_owned())
            };
            films.get_or_load(&7, load).await.unwrap_err()
        }
    });
    first.await.unwrap();
    tokio::task::yield_now().await;
    let none = || async { Ok::<_, Infallible>("none".to_owned()) };
    let third = films.get_or_load(&7, none).await;
    assert_eq!(*third.unwrap(), "new");
    assert!(matches!(second.await.unwrap(), LoadError::TimedOut));
}
