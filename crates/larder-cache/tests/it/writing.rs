//! Writes that go to the source first, in process and on Redis.

use std::future::{Future, pending, poll_fn};
use std::task::Poll;

use larder_cache::{Cache, Loaded, Source, WriteError};

use crate::support::{Backend, Broken, Gate, load, near_films, on_both};

type Films = Cache<u32, String>;

async fn write(films: &Films, film: u32, value: &'static str) {
    let written = async { Ok::<_, Broken>(value.to_owned()) };
    films.write_through(film, written).await.unwrap();
}

/// Begins a write that waits at the gate in its source.
fn held_up(films: &Films, gate: &Gate, value: &'static str) -> tokio::task::JoinHandle<()> {
    let (films, gate) = (films.clone(), gate.clone());
    tokio::spawn(async move {
        let written = async {
            gate.pass().await;
            Ok::<_, Broken>(value.to_owned())
        };
        films.write_through(7, written).await.unwrap();
    })
}

fn two(backend: &Backend) -> (Films, Films) {
    (
        backend.films().build().unwrap(),
        backend.films().build().unwrap(),
    )
}

/// Returns the value that a process without near copies finds.
async fn far(backend: &Backend, film: u32) -> Option<String> {
    let films = backend.films().without_near().build().unwrap();
    films.get(&film).await.map(|value| value.to_string())
}

on_both! {
    async fn a_value_is_written_to_its_source_and_then_cached_in_both_tiers(backend: Backend) {
        let (one, two) = two(&backend);
        load(&one, &7, "old").await;
        let written = async {
            assert!(one.get_near(&7).is_none(), "the older value is gone before");
            assert_eq!(far(&backend, 7).await, None);
            Ok::<_, Broken>("new".to_owned())
        };
        one.write_through(7, written).await.unwrap();
        assert_eq!(*one.get_near(&7).unwrap(), "new");
        let found = two.find(&7).await.unwrap();
        assert_eq!((found.as_str(), found.source), ("new", Source::Far));
    }

    async fn a_value_that_was_invalidated_while_it_was_written_is_not_cached(backend: Backend) {
        let (one, two) = two(&backend);
        for by in [&one, &two] {
            let gate = Gate::closed();
            let writing = held_up(&one, &gate, "outdated");
            gate.arrived().await;
            by.remove(&7).await.unwrap();
            gate.open();
            writing.await.unwrap();
            assert!(one.get(&7).await.is_none());
            assert_eq!(far(&backend, 7).await, None);
        }
    }

    async fn of_two_writes_that_overlap_neither_is_cached(backend: Backend) {
        let (one, two) = two(&backend);
        for other in [&one, &two] {
            let gate = Gate::closed();
            let writing = held_up(&one, &gate, "first to begin, last to end");
            gate.arrived().await;
            write(other, 7, "second").await;
            gate.open();
            writing.await.unwrap();
            assert_eq!(far(&backend, 7).await, None);
            assert!(one.get(&7).await.is_none());
        }
    }

    async fn a_load_that_began_before_a_write_is_not_cached_over_it(backend: Backend) {
        let (one, two) = two(&backend);
        let gate = Gate::closed();
        let loading = tokio::spawn({
            let (one, gate) = (one.clone(), gate.clone());
            async move {
                let load = || async move {
                    gate.pass().await;
                    Ok::<_, Broken>("old".to_owned())
                };
                one.get_or_load(&7, load).await.unwrap()
            }
        });
        gate.arrived().await;
        write(&two, 7, "new").await;
        gate.open();
        loading.await.unwrap();
        assert_eq!(far(&backend, 7).await.unwrap(), "new");
        assert_eq!(*one.get(&7).await.unwrap(), "new");
    }

    async fn a_write_that_fails_removes_the_value(backend: Backend) {
        let (one, _) = two(&backend);
        load(&one, &7, "old").await;
        let failing = async { Err::<String, _>(Broken("it may have been written")) };
        let error = one.write_through(7, failing).await.unwrap_err();
        assert_eq!(
            error.source_error(),
            Some(&Broken("it may have been written"))
        );
        assert!(!format!("{error:?} {error}").contains("may have"));
        assert!(one.get(&7).await.is_none());
        assert_eq!(far(&backend, 7).await, None);
    }

    async fn a_write_that_is_dropped_removes_the_value(backend: Backend) {
        let (one, _) = two(&backend);
        load(&one, &7, "old").await;
        let gate = Gate::closed();
        let writing = held_up(&one, &gate, "never");
        gate.arrived().await;
        writing.abort();
        assert!(writing.await.unwrap_err().is_cancelled());
        assert!(one.get(&7).await.is_none());
        assert_eq!(far(&backend, 7).await, None);
        assert_eq!(load(&one, &7, "new").await, "new");
    }

    async fn a_change_around_the_cache_removes_the_value(backend: Backend) {
        let (one, two) = two(&backend);
        load(&one, &7, "old").await;
        let changed = one.write_around(7, async { Ok::<_, Broken>(3) }).await;
        assert_eq!(changed.unwrap(), 3);
        assert!(two.get(&7).await.is_none());
        load(&one, &7, "old").await;
        let failed = one
            .write_around(7, async { Err::<(), _>(Broken("away")) })
            .await;
        assert!(matches!(failed, Err(WriteError::Source(Broken("away")))));
        assert!(two.get(&7).await.is_none());
    }

    async fn a_written_value_carries_tags(backend: Backend) {
        let (one, two) = two(&backend);
        let written = async { Ok::<_, Broken>(Loaded::new("new".to_owned()).with_tags(["lang"])) };
        one.write_through(7, written).await.unwrap();
        assert_eq!(*two.get(&7).await.unwrap(), "new");
        two.remove_tag("lang").await.unwrap();
        assert_eq!(far(&backend, 7).await, None);
    }
}

#[tokio::test]
async fn a_near_cache_alone_is_written_through() {
    let films = near_films();
    write(&films, 7, "new").await;
    assert_eq!(*films.get_near(&7).unwrap(), "new");
    let hanging = pending::<Result<String, Broken>>();
    let mut call = Box::pin(films.write_through(7, hanging));
    assert!(
        poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx)))
            .await
            .is_pending()
    );
    drop(call);
    assert!(films.get_near(&7).is_none());
}
