//! Writes that reach their source later, in process and on Redis.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_cache::{Cache, LoadError, Loaded, QueuedWrite, WriteBehind, WriteBehindBuilder};
use larder_moka::MokaStore;
use larder_store::{ErrorKind, Kind, Refusal};
use larder_test::faulty::{Faulty, Trouble};

use crate::support::{Backend, Broken, Gate, MINUTE, counts, on_both, until_ready};

type Behind = WriteBehind<u32, String>;

/// A source that records its writes.
#[derive(Clone, Default)]
struct Database {
    writes: Arc<Mutex<Vec<(u32, String, u64)>>>,
    fails: Arc<AtomicBool>,
}

impl Database {
    async fn write(self, write: QueuedWrite<u32, String>) -> Result<(), Broken> {
        tokio::task::yield_now().await;
        let mut writes = self.writes.lock().unwrap();
        writes.push((write.key, write.value, write.version));
        match self.fails.load(Ordering::SeqCst) {
            true => Err(Broken("away")),
            false => Ok(()),
        }
    }

    fn count(&self) -> usize {
        self.writes.lock().unwrap().len()
    }
}

fn behind(backend: &Backend) -> WriteBehindBuilder<u32, String> {
    let films = backend.films().build().unwrap();
    WriteBehind::builder(backend.store.clone(), "films", films)
        .with_store_timeout(Duration::from_secs(2))
        .with_poll(Duration::from_millis(20))
        .with_retry(Duration::from_millis(10), Duration::from_millis(20))
}

fn start(builder: WriteBehindBuilder<u32, String>, database: &Database) -> Behind {
    let database = database.clone();
    builder
        .start(move |write| database.clone().write(write))
        .unwrap()
}

/// Waits until the journal has these numbers of writes and dead letters.
async fn until(behind: &Behind, waiting: u64, dead: u64) {
    until_ready("the journal holds as many", || async {
        let left = behind.unwritten().await.unwrap();
        (left.waiting, left.dead) == (waiting, dead)
    })
    .await;
}

on_both! {
    async fn gauges_show_what_waits_and_since_when(backend: Backend) {
        let counts = counts();
        let _recording = counts.record();
        let database = Database::default();
        let films = start(behind(&backend).without_worker(), &database);
        let gate = Gate::closed();
        let (cache, held) = (backend.films().build().unwrap(), gate.clone());
        let load = tokio::spawn(async move {
            let load = || async move {
                held.pass().await;
                Ok::<_, Broken>("one".to_owned())
            };
            cache.get_or_load(&1, load).await.map(drop)
        });
        gate.arrived().await;
        assert_eq!(counts.gauge("larder_cache_loads_in_flight"), 1.0);
        gate.open();
        load.await.unwrap().unwrap();
        assert_eq!(counts.gauge("larder_cache_loads_in_flight"), 0.0);

        database.fails.store(true, Ordering::SeqCst);
        for film in 0..3 {
            films.write(film, "x".to_owned()).await.unwrap();
        }
        assert!(
            counts.gauge("larder_cache_near_entries") >= 1.0,
            "{counts:?}"
        );
        let short = Duration::from_millis(100);
        assert_eq!(films.shutdown(short).await.unwrap().waiting, 3);
        let (waiting, oldest) = (
            "larder_write_behind_waiting films",
            "larder_write_behind_oldest_seconds films",
        );
        assert_eq!(counts.gauge(waiting), 3.0);
        // The age counts from the beginning, also after failed attempts.
        assert!(counts.gauge(oldest) > 0.03, "{}", counts.gauge(oldest));

        database.fails.store(false, Ordering::SeqCst);
        let films = start(behind(&backend), &database);
        until(&films, 0, 0).await;
        let _ = films.shutdown(Duration::from_secs(20)).await.unwrap();
        assert_eq!((counts.gauge(waiting), counts.gauge(oldest)), (0.0, 0.0));
    }

    async fn acknowledged_writes_reach_the_source_in_the_order_of_each_key(backend: Backend) {
        let database = Database::default();
        let (one, two) = (
            start(behind(&backend), &database),
            start(behind(&backend), &database),
        );
        for round in 0..50 {
            for film in 0..3 {
                let by = if round % 2 == 0 { &one } else { &two };
                by.write(film, format!("round {round}")).await.unwrap();
            }
        }
        until(&one, 0, 0).await;
        let mut last = BTreeMap::new();
        for (film, value, version) in database.writes.lock().unwrap().drain(..) {
            let before = last.insert(film, (version, value));
            assert!(
                before.is_none_or(|(before, _)| before < version),
                "out of order"
            );
        }
        let values: Vec<_> = last.into_values().map(|(_, value)| value).collect();
        assert_eq!(values, ["round 49"; 3]);
    }

    async fn writes_that_a_process_left_are_carried_out_by_another(backend: Backend) {
        let database = Database::default();
        let one = start(behind(&backend).without_worker(), &database);
        for film in 0..5 {
            one.write(film, "old".to_owned()).await.unwrap();
            one.write(film, "new".to_owned()).await.unwrap();
        }
        drop(one);
        assert_eq!(database.count(), 0);
        let two = start(behind(&backend), &database);
        until(&two, 0, 0).await;
        let mut writes = database.writes.lock().unwrap().clone();
        writes.sort();
        let values: Vec<_> = writes
            .iter()
            .map(|(film, value, _)| (*film, value.as_str()))
            .collect();
        assert_eq!(
            values,
            [(0, "new"), (1, "new"), (2, "new"), (3, "new"), (4, "new")]
        );
    }

    async fn a_worker_that_dies_between_a_take_and_its_end_is_replaced(backend: Backend) {
        let (database, gate) = (Database::default(), Gate::closed());
        let process = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let builder = behind(&backend).with_write_timeout(Duration::from_millis(500));
        let stalls = gate.clone();
        let first = process.spawn(async move {
            builder
                .start(move |_| {
                    let stalls = stalls.clone();
                    async move {
                        stalls.pass().await;
                        pending::<Result<(), Broken>>().await
                    }
                })
                .unwrap()
        });
        let first = first.await.unwrap();
        first.write(7, "acknowledged".to_owned()).await.unwrap();
        gate.arrived().await;
        process.shutdown_background();
        let second = start(behind(&backend), &database);
        until(&second, 0, 0).await;
        let writes = database.writes.lock().unwrap().clone();
        let [(7, value, _)] = &writes[..] else {
            panic!("{writes:?}");
        };
        assert_eq!(value, "acknowledged");
    }

    /// After the loss of a journal versions still rise. Otherwise a source that refuses older versions would
    /// refuse all later writes.
    async fn versions_rise_though_the_journal_was_lost(backend: Backend) {
        let mut backend = backend;
        let database = Database::default();
        for round in 0..2 {
            let films = start(behind(&backend), &database);
            for film in 0..3 {
                films.write(film, format!("round {round}")).await.unwrap();
            }
            until(&films, 0, 0).await;
            match &backend.server {
                Some(server) => drop(server.command(&["FLUSHALL"]).unwrap()),
                None => backend = Backend::in_process(),
            }
        }
        let writes = database.writes.lock().unwrap();
        let versions = |round: &str| -> Vec<u64> {
            let round = writes.iter().filter(|(_, value, _)| value == round);
            round.map(|(.., version)| *version).collect()
        };
        let (before, after) = (versions("round 0"), versions("round 1"));
        assert_eq!((before.len(), after.len()), (3, 3));
        assert!(before.iter().max() < after.iter().min(), "{writes:?}");
    }

    async fn a_full_journal_holds_its_writers_back(backend: Backend) {
        let database = Database::default();
        let builder = behind(&backend)
            .with_max_waiting(2)
            .with_full_timeout(Duration::from_millis(50));
        let behind_full = start(builder.without_worker(), &database);
        behind_full.write(1, "one".to_owned()).await.unwrap();
        behind_full.write(2, "two".to_owned()).await.unwrap();
        let error = behind_full.write(3, "three".to_owned()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Full));
        // This write replaces one that waits, so it needs no room.
        behind_full.write(1, "one again".to_owned()).await.unwrap();
        let worker = start(behind(&backend), &database);
        until(&worker, 0, 0).await;
        behind_full.write(3, "three".to_owned()).await.unwrap();
        until(&worker, 0, 0).await;
        assert_eq!(database.count(), 3);
    }

    async fn a_write_that_fails_is_tried_again_and_is_a_dead_letter_at_last(backend: Backend) {
        let database = Database::default();
        database.fails.store(true, Ordering::SeqCst);
        let behind = start(behind(&backend).with_max_attempts(3), &database);
        behind.write(7, "refused".to_owned()).await.unwrap();
        until(&behind, 0, 1).await;
        assert_eq!(database.count(), 3);
        let dead = behind.dead_letters(None, 9).await.unwrap();
        let [letter] = &dead[..] else {
            panic!("{dead:?}");
        };
        assert_eq!(letter.write, Some((7, "refused".to_owned())));
        assert_eq!((letter.attempts, &*letter.id()), (3, "write-behind:{7}"));
        assert!(!format!("{dead:?}").contains("refused"));
        database.fails.store(false, Ordering::SeqCst);
        assert!(behind.retry(&7).await.unwrap());
        until(&behind, 0, 0).await;
        assert_eq!(database.count(), 4);
        assert!(!behind.discard(&7).await.unwrap());
    }

    async fn a_dead_letter_is_not_settled_in_place_of_a_later_one_of_its_key(backend: Backend) {
        let database = Database::default();
        database.fails.store(true, Ordering::SeqCst);
        let behind = start(behind(&backend).with_max_attempts(1), &database);
        let dies = async |value: &str| {
            behind.write(7, value.to_owned()).await.unwrap();
            until(&behind, 0, 1).await;
            behind.dead_letters(None, 9).await.unwrap().pop().unwrap()
        };
        let (first, second) = (dies("first").await, dies("second").await);
        assert!(!behind.discard_letter(&first).await.unwrap(), "the second write was discarded");
        assert!(!behind.retry_letter(&first).await.unwrap(), "the second write was retried");
        let left = behind.unwritten().await.unwrap();
        assert_eq!((left.waiting, left.dead), (0, 1));
        database.fails.store(false, Ordering::SeqCst);
        assert!(behind.retry_letter(&second).await.unwrap());
        until(&behind, 0, 0).await;
        assert_eq!(database.writes.lock().unwrap().last().unwrap().1, "second");
        assert!(!behind.discard_letter(&second).await.unwrap());
    }

    async fn the_longest_times_work(backend: Backend) {
        let films = backend.films().build().unwrap();
        let builder = WriteBehind::builder(backend.store.clone(), "films", films)
            .with_max_waiting(1)
            .with_store_timeout(Duration::MAX)
            .with_write_timeout(Duration::MAX)
            .with_full_timeout(Duration::MAX)
            .with_poll(Duration::MAX)
            .with_ttl(larder_store::Ttl::MAX);
        let behind = start(builder, &Database::default());
        for film in 0..3 {
            behind.write(film, "x".to_owned()).await.unwrap();
        }
        let left = behind.shutdown(Duration::MAX).await.unwrap();
        assert_eq!((left.waiting, left.dead), (0, 0));
    }

    async fn what_is_cached_goes_when_a_dead_letter_is_tried_again_or_discarded(backend: Backend) {
        let database = Database::default();
        let behind = start(behind(&backend).with_max_attempts(1), &database);
        let source = |value: &'static str| move || async move { Ok::<_, Broken>(value.to_owned()) };
        for tries_again in [true, false] {
            database.fails.store(true, Ordering::SeqCst);
            behind.write(7, "refused".to_owned()).await.unwrap();
            until(&behind, 0, 1).await;
            database.fails.store(false, Ordering::SeqCst);
            if !tries_again {
                assert!(behind.discard(&7).await.unwrap());
                let found = behind.find_or_load(&7, source("old")).await.unwrap();
                assert_eq!(found.as_str(), "old", "the cache has what was discarded");
                continue;
            }
            // As if the cached value had expired while the source still has the old one.
            backend.films().build().unwrap().remove(&7).await.unwrap();
            let films = &behind;
            until_ready("it is removed near too", || async move {
                let found = films.find_or_load(&7, source("old")).await.unwrap();
                found.as_str() == "old"
            })
            .await;
            assert!(behind.retry(&7).await.unwrap());
            until(&behind, 0, 0).await;
            let found = behind.find_or_load(&7, source("written")).await.unwrap();
            assert_ne!(found.as_str(), "old", "the source has another one by now");
        }
    }

    async fn what_the_codec_refuses_is_not_written_and_the_cached_value_stays(backend: Backend) {
        type Nested = Option<Option<u8>>;
        const NESTED: Kind = Kind::evictable("nested");
        let films = Cache::<u32, Nested>::builder(NESTED, MINUTE).build().unwrap();
        films.insert(7, Some(Some(1))).await.unwrap();
        let behind = WriteBehind::builder(backend.store.clone(), "nested", films.clone())
            .without_worker()
            .start(|_| async { Ok::<_, Broken>(()) })
            .unwrap();
        // MessagePack reads it back as `None`.
        let error = behind.write(7, Loaded::new(Some(None))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert_eq!(*films.get(&7).await.unwrap(), Some(Some(1)));
        assert_eq!(behind.unwritten().await.unwrap().waiting, 0);
    }

    async fn a_shutdown_reports_what_is_left(backend: Backend) {
        let database = Database::default();
        let hangs = database.clone();
        let stopping = behind(&backend)
            .with_write_timeout(Duration::from_millis(500))
            .start(move |write: QueuedWrite<u32, String>| {
                let hangs = hangs.clone();
                async move {
                    match write.key {
                        1 => pending().await,
                        _ => hangs.write(write).await,
                    }
                }
            })
            .unwrap();
        for film in 0..4 {
            stopping.write(film, "value".to_owned()).await.unwrap();
        }
        let left = stopping.shutdown(Duration::from_millis(300)).await.unwrap();
        assert!(left.waiting >= 1 && left.dead == 0, "{left:?}");
        let error = stopping.write(5, "late".to_owned()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotSent);
        let next = start(behind(&backend), &database);
        until(&next, 0, 0).await;
        let left = next.shutdown(Duration::from_secs(10)).await.unwrap();
        assert_eq!((left.waiting, left.dead), (0, 0));
        let writes = database.writes.lock().unwrap();
        assert!((0..4).all(|film| writes.iter().any(|(written, ..)| *written == film)));
    }

    async fn a_write_that_is_acknowledged_during_a_shutdown_is_written_or_reported(backend: Backend) {
        for within in [Duration::from_secs(20), Duration::ZERO] {
            let database = Database::default();
            let journal = Faulty::new(backend.store.clone());
            let switch = journal.switch();
            let films = backend.films().build().unwrap();
            let films = WriteBehind::builder(Arc::new(journal), "films", films)
                .with_store_timeout(Duration::from_secs(10))
                // The worker looks again only if it is told to.
                .with_poll(Duration::from_secs(3_600));
            let films = start(films, &database);
            until_ready("the worker has looked", || async { switch.operations() > 0 }).await;
            let before = switch.operations();
            switch.set_next(1, Trouble::Delay(Duration::from_millis(300)));
            let writing = tokio::spawn({
                let films = films.clone();
                async move { films.write(7, "value".to_owned()).await }
            });
            until_ready("it is written", || async { switch.operations() > before }).await;
            let left = films.shutdown(within).await.unwrap();
            writing.await.unwrap().unwrap();
            let written = database.count() as u64;
            assert_eq!(written + left.waiting, 1, "within {within:?}: {left:?}");
        }
    }

    async fn what_was_begun_when_the_time_of_a_shutdown_ends_is_written(backend: Backend) {
        for has_worker in [true, false] {
            let (database, gate) = (Database::default(), Gate::closed());
            let (written, held) = (database.clone(), gate.clone());
            let builder = match has_worker {
                true => behind(&backend),
                false => behind(&backend).without_worker(),
            };
            let films = builder
                .start(move |write| {
                    let (written, held) = (written.clone(), held.clone());
                    async move {
                        held.pass().await;
                        written.write(write).await
                    }
                })
                .unwrap();
            films.write(1, "value".to_owned()).await.unwrap();
            let end = films.shutdown(Duration::from_millis(200));
            let (left, ()) = tokio::join!(end, gate.arrived());
            assert_eq!(left.unwrap().waiting, 1, "{has_worker}");
            gate.open();
            until(&films, 0, 0).await;
            assert_eq!(database.count(), 1, "{has_worker}");
            // A second shutdown is possible, with more time.
            let left = films.shutdown(Duration::from_secs(20)).await.unwrap();
            assert_eq!((left.waiting, left.dead), (0, 0));
        }
    }

    async fn a_value_that_waits_is_read_before_the_source(backend: Backend) {
        let database = Database::default();
        let films = backend.films().build().unwrap();
        let behind = WriteBehind::builder(backend.store.clone(), "films", films.clone())
            .with_store_timeout(Duration::from_secs(2))
            .without_worker();
        let behind = start(behind, &database);
        behind.write(7, "new".to_owned()).await.unwrap();
        assert_eq!(*films.get(&7).await.unwrap(), "new");
        // As if the value was evicted before it was written to the source.
        films.remove(&7).await.unwrap();
        let source = || async { Ok::<_, Broken>("old".to_owned()) };
        assert_eq!(*behind.find_or_load(&7, source).await.unwrap().value, "new");
        assert_eq!(*behind.find_or_load(&8, source).await.unwrap().value, "old");
        let nothing = || async { Ok::<_, Broken>(None::<String>) };
        let missing = behind.find_or_load(&9, nothing).await;
        assert!(matches!(missing, Err(LoadError::NotFound)));
    }

    /// The first write reaches the journal before or after the second one, and the cache after it.
    async fn of_two_writes_that_overlap_the_older_is_not_cached(backend: Backend) {
        let (films, slow) = backend.faulty_films();
        let films = films.build().unwrap();
        let first = WriteBehind::builder(backend.store.clone(), "films", films.clone());
        let first = start(first.without_worker(), &Database::default());
        let (other, database) = (backend.films().build().unwrap(), Database::default());
        let second = WriteBehind::builder(backend.store.clone(), "films", other.clone());
        let second = start(second.without_worker(), &database);
        slow.set(Trouble::Delay(Duration::from_millis(40)));
        let writing = tokio::spawn({
            let first = first.clone();
            async move { first.write(7, "first".to_owned()).await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        second.write(7, "second".to_owned()).await.unwrap();
        writing.await.unwrap().unwrap();
        slow.clear();
        let _ = second.shutdown(Duration::from_secs(20)).await.unwrap();
        let last = database.writes.lock().unwrap().last().unwrap().1.clone();
        for films in [films, other] {
            until_none_but(&films, &last).await;
        }
    }

    async fn a_write_that_may_have_been_queued_leaves_no_older_value_cached(backend: Backend) {
        let films = backend.films().build().unwrap();
        let journal = Faulty::new(backend.store.clone());
        let switch = journal.switch();
        let behind = WriteBehind::builder(Arc::new(journal), "films", films.clone());
        let behind = start(behind.without_worker(), &Database::default());
        films.insert(7, "old".to_owned()).await.unwrap();
        switch.set(Trouble::LoseAnswer);
        let lost = behind.write(7, "new".to_owned()).await.unwrap_err();
        assert_eq!(lost.kind(), ErrorKind::MayHaveRun);
        until_none_but(&films, "new").await;
        switch.clear();
        films.insert(7, "old".to_owned()).await.unwrap();
        switch.set(Trouble::HangAfterwards);
        let dropped = behind.write(7, "newer".to_owned());
        let dropped = tokio::time::timeout(Duration::from_millis(100), dropped);
        assert!(dropped.await.is_err());
        switch.clear();
        assert_eq!(behind.unwritten().await.unwrap().waiting, 1);
        until_none_but(&films, "newer").await;
    }

    async fn a_write_that_ends_each_process_that_carries_it_out_is_a_dead_letter(backend: Backend) {
        let database = Database::default();
        let writer = start(behind(&backend).without_worker(), &database);
        writer.write(7, "poison".to_owned()).await.unwrap();
        // With short timeouts, so that a take ends soon.
        let process = || {
            behind(&backend)
                .with_max_attempts(2)
                .with_write_timeout(Duration::from_millis(10))
                .with_store_timeout(Duration::from_millis(100))
        };
        for _ in 0..2 {
            let gate = Gate::closed();
            let dies = gate.clone();
            let sink = move |_| {
                let dies = dies.clone();
                async move {
                    dies.pass().await;
                    Ok::<_, Broken>(())
                }
            };
            // This process ends while it carries out the write, for which it has more time.
            let ends = process().with_write_timeout(Duration::from_millis(100));
            let ends = ends.start(sink).unwrap();
            gate.arrived().await;
            let _ = ends.shutdown(Duration::ZERO).await;
        }
        let next = start(process(), &database);
        until(&next, 0, 1).await;
        assert_eq!(database.count(), 0);
        assert_eq!(next.dead_letters(None, 9).await.unwrap()[0].attempts, 2);
    }

    async fn a_write_of_another_release_is_left_for_it_and_hides_the_source(backend: Backend) {
        let counts = counts();
        let _recording = counts.record();
        let newer = |worker: bool| {
            let kind = larder_store::Kind::evictable("newer");
            let films = larder_cache::Cache::<u32, u64>::builder(kind, crate::support::MINUTE);
            let films = films.with_far(backend.store.clone()).build().unwrap();
            let films = WriteBehind::builder(backend.store.clone(), "films", films)
                .with_store_timeout(Duration::from_secs(2))
                .with_write_timeout(Duration::from_millis(200))
                .with_poll(Duration::from_millis(20));
            match worker {
                true => films,
                false => films.without_worker(),
            }
        };
        let none = |_| async { Ok::<_, Broken>(()) };
        let writes = newer(false).start(none).unwrap();
        writes.write(7, 70).await.unwrap();

        let films = backend.films().build().unwrap();
        let older = WriteBehind::builder(backend.store.clone(), "films", films.clone())
            .with_store_timeout(Duration::from_secs(2))
            .with_poll(Duration::from_millis(20))
            .with_write_timeout(Duration::from_millis(200))
            .with_retry(Duration::from_millis(10), Duration::from_millis(20))
            .with_max_attempts(1_000);
        let database = Database::default();
        let older = start(older, &database);
        let source = || async { Ok::<_, Broken>("old".to_owned()) };
        assert_eq!(*older.find_or_load(&7, source).await.unwrap().value, "old");
        assert!(films.get(&7).await.is_none(), "the source is behind");
        until_ready("the older release has tried", || async {
            counts.count("larder_write_behind_writes_total films failed") > 0
        })
        .await;
        let _ = older.shutdown(Duration::ZERO).await.unwrap();
        let written = Arc::new(AtomicBool::new(false));
        let sees = written.clone();
        let worker = newer(true).start(move |write: QueuedWrite<u32, u64>| {
            sees.store((write.key, write.value) == (7, 70), Ordering::SeqCst);
            async { Ok::<_, Broken>(()) }
        });
        let _worker = worker.unwrap();
        until(&older, 0, 0).await;
        assert!(written.load(Ordering::SeqCst));
        assert_eq!(database.count(), 0);
    }

    async fn a_write_that_takes_long_holds_up_no_other(backend: Backend) {
        let (database, gate) = (Database::default(), Gate::closed());
        let (written, held) = (database.clone(), gate.clone());
        let films = behind(&backend)
            .with_write_timeout(Duration::from_secs(300))
            .start(move |write: QueuedWrite<u32, String>| {
                let (written, held) = (written.clone(), held.clone());
                async move {
                    if write.key == 1 {
                        held.pass().await;
                    }
                    written.write(write).await
                }
            })
            .unwrap();
        films.write(1, "slow".to_owned()).await.unwrap();
        gate.arrived().await;
        for film in 2..20 {
            films.write(film, "fast".to_owned()).await.unwrap();
        }
        until(&films, 1, 0).await;
        // The shutdown also carries out the writes that were queued after the slow one.
        let more = start(behind(&backend).without_worker(), &database);
        for film in 2..40 {
            more.write(film, "last".to_owned()).await.unwrap();
        }
        let end = tokio::spawn(async move { films.shutdown(Duration::from_secs(20)).await });
        until(&more, 1, 0).await;
        gate.open();
        let left = end.await.unwrap().unwrap();
        assert_eq!((left.waiting, left.dead), (0, 0));
    }
}

#[tokio::test]
async fn a_setting_that_may_not_be_zero_is_named() {
    type Builder = WriteBehindBuilder<u32, String>;
    type Set = fn(Builder) -> Builder;
    let settings: [(&str, Set); 5] = [
        ("with_max_waiting", |it| it.with_max_waiting(0)),
        ("with_batch", |it| it.with_batch(0)),
        ("with_write_timeout", |it| {
            it.with_write_timeout(Duration::ZERO)
        }),
        ("with_poll", |it| it.with_poll(Duration::ZERO)),
        ("with_retry", |it| {
            it.with_retry(Duration::ZERO, Duration::ZERO)
        }),
    ];
    for (name, set) in settings {
        let films = crate::support::near_films();
        let builder = WriteBehind::builder(Arc::new(MokaStore::new()), "films", films);
        let started = set(builder).start(|_| async { Ok::<_, Broken>(()) });
        let error = started.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[tokio::test]
async fn a_journal_has_a_name_of_the_letters_that_all_names_have() {
    for (name, is_right) in [
        ("films.v2_a-b", true),
        ("", false),
        ("Films", false),
        ("films:7", false),
        (&*"f".repeat(32), true),
        (&*"f".repeat(33), false),
    ] {
        let films = crate::support::near_films();
        let builder = WriteBehind::builder(Arc::new(MokaStore::new()), name, films);
        let started = builder.start(|_| async { Ok::<_, Broken>(()) });
        assert_eq!(started.is_ok(), is_right, "{name}");
        if let Err(error) = started {
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains("1 to 32 of a-z"), "{error}");
        }
    }
}

/// Waits until film 7 is cached with this value, or not at all.
async fn until_none_but(films: &larder_cache::Cache<u32, String>, value: &str) {
    until_ready("no older value is cached", || async move {
        films.get(&7).await.is_none_or(|held| *held == value)
    })
    .await;
}

/// Such entries come from another program, or from a release with another format.
#[tokio::test]
async fn what_cannot_be_read_in_a_journal_is_dropped_and_holds_up_nothing() {
    let counts = counts();
    let _recording = counts.record();
    let backend = Backend::on_redis().await;
    let database = Database::default();
    let waits = start(behind(&backend).without_worker(), &database);
    for film in 0..4 {
        waits.write(film, "written".to_owned()).await.unwrap();
    }
    let server = backend.server.as_ref().unwrap();
    let key = "write-behind:{films}";
    let fields = server.command(&["HKEYS", key]).unwrap();
    let fields = fields.array().unwrap().iter().map(|it| it.text().unwrap());
    for (field, noise) in fields.take(2).zip(["noise", "99999999999999999999 1 x"]) {
        server.command(&["HSET", key, &field, noise]).unwrap();
        let dead = "write-behind:{films}:dead";
        server.command(&["HSET", dead, &field, noise]).unwrap();
    }
    server
        .command(&["ZADD", "write-behind:{films}:due", "1", "nobody"])
        .unwrap();
    let last = "write-behind:{films}:last";
    for noise in ["99999999999999999999", "9007199254740992", "nan"] {
        server.command(&["SET", last, noise]).unwrap();
        waits.write(9, noise.to_owned()).await.unwrap();
    }
    assert_eq!(waits.dead_letters(None, 9).await.unwrap().len(), 0);
    let left = waits.shutdown(Duration::from_secs(20)).await.unwrap();
    assert_eq!(left.waiting, 0);
    assert_eq!(database.count(), 3);
    assert_eq!(counts.count("larder_poisoned_total"), 3, "{counts:?}");
}
