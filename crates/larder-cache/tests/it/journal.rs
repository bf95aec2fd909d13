//! The form of the writes that wait in a journal of write-behind.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_cache::{
    Cache, CacheBuilder, Loaded, MAX_DEAD_LETTERS, QueuedWrite, WriteBehind, WriteBehindBuilder,
};
use larder_moka::MokaStore;
use larder_store::{ErrorKind, Kind};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::support::{Backend, Broken, MINUTE, counts, near_films, on_both, until_ready};

const OLDER: Kind = Kind::evictable("older");

/// A film of the next release.
#[derive(Serialize, Deserialize)]
struct Rated {
    title: String,
    rating: Option<u8>,
}

/// A film of this release.
#[derive(Serialize, Deserialize)]
struct Film {
    title: String,
}

type Written<V> = Arc<Mutex<Vec<V>>>;

fn set<V>(backend: &Backend, films: CacheBuilder<u32, V>) -> WriteBehindBuilder<u32, V>
where
    V: Serialize + for<'de> Deserialize<'de> + Send + Sync + 'static,
{
    WriteBehind::builder(backend.store.clone(), "films", films.build().unwrap())
        .with_store_timeout(Duration::from_secs(10))
        .with_poll(Duration::from_millis(20))
        .with_retry(Duration::from_millis(1), Duration::from_millis(2))
}

fn start<V: Send + Sync + 'static>(
    builder: WriteBehindBuilder<u32, V>,
    written: &Written<V>,
) -> WriteBehind<u32, V> {
    let written = written.clone();
    let sink = move |write: QueuedWrite<u32, V>| {
        written.lock().unwrap().push(write.value);
        async { Ok::<_, Broken>(()) }
    };
    builder.start(sink).unwrap()
}

async fn until_written<V: Send + Sync + 'static>(behind: &WriteBehind<u32, V>) {
    until_ready("it is written", || async {
        behind.unwritten().await.unwrap().waiting == 0
    })
    .await;
}

on_both! {
    async fn a_write_of_another_schema_is_left_for_its_release(backend: Backend) {
        let counts = counts();
        let _recording = counts.record();
        let newer = || {
            let films = Cache::<u32, Rated>::builder(OLDER, MINUTE).with_schema(2);
            set(&backend, films)
        };
        let (rated, plain) = (Written::default(), Written::default());
        let writes = start(newer().without_worker(), &rated);
        let film = Rated { title: "Metropolis".to_owned(), rating: Some(5) };
        writes.write(7, film).await.unwrap();
        let older = Cache::<u32, Film>::builder(OLDER, MINUTE);
        let older = start(set(&backend, older).with_max_attempts(2), &plain);
        until_ready("it is left", || async {
            counts.count("larder_write_behind_writes_total films left") > 0
        })
        .await;
        // It does not wait for the newer release.
        let ended = timeout(Duration::from_secs(20), older.shutdown(Duration::MAX));
        let left = ended.await.unwrap().unwrap();
        assert_eq!((left.waiting, left.dead), (1, 0));
        assert_eq!(counts.count("larder_write_behind_writes_total films left"), 1);
        assert!(plain.lock().unwrap().is_empty(), "it was written without its rating");
        until_written(&start(newer(), &rated)).await;
        let rated = rated.lock().unwrap();
        let film = rated.first().unwrap();
        assert_eq!((film.title.as_str(), film.rating), ("Metropolis", Some(5)));
    }

    async fn a_value_of_the_journal_has_its_tags(backend: Backend) {
        let films = backend.films().build().unwrap();
        let behind = WriteBehind::builder(backend.store.clone(), "films", films.clone());
        let behind = behind.with_store_timeout(Duration::from_secs(10)).without_worker();
        let behind = start(behind, &Written::default());
        let source = || async { Ok::<_, Broken>("old".to_owned()) };
        let new = || Loaded::new("new".to_owned()).with_tags(["lang"]);
        behind.write(7, new()).await.unwrap();
        films.remove_tag("lang").await.unwrap();
        assert!(films.get(&7).await.is_none(), "the written value has the tag");
        assert_eq!(behind.find_or_load(&7, source).await.unwrap().as_str(), "new");
        assert!(films.get(&7).await.is_some());
        films.remove_tag("lang").await.unwrap();
        assert!(films.get(&7).await.is_none(), "the value of the journal has the tag");
    }

    async fn a_write_that_is_too_large_or_has_no_value_changes_nothing(backend: Backend) {
        let films = backend.films().with_max_value(100).build().unwrap();
        films.insert(7, "old".to_owned()).await.unwrap();
        let behind = WriteBehind::builder(backend.store.clone(), "films", films.clone());
        let behind = start(behind.without_worker(), &Written::default());
        let large = behind.write(7, "x".repeat(200)).await.unwrap_err();
        assert_eq!(large.kind(), ErrorKind::TooLarge);
        let tags: Vec<_> = (0..20).map(|tag| tag.to_string()).collect();
        let tagged = Loaded::new("new".to_owned()).with_tags(tags);
        for wrong in [tagged, Loaded::not_found()] {
            let error = behind.write(7, wrong).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
        assert_eq!(behind.unwritten().await.unwrap().waiting, 0);
        assert_eq!(*films.get(&7).await.unwrap(), "old");
    }

    async fn dead_letters_are_listed_in_pages(backend: Backend) {
        let films = backend.films().build().unwrap();
        let fails = |_: QueuedWrite<u32, String>| async { Err::<(), _>(Broken("away")) };
        let behind = WriteBehind::builder(backend.store.clone(), "films", films)
            .with_store_timeout(Duration::from_secs(10))
            .with_max_attempts(1)
            .start(fails)
            .unwrap();
        for film in 0..250 {
            behind.write(film, film.to_string()).await.unwrap();
        }
        until_ready("all are dead", || async { behind.unwritten().await.unwrap().dead == 250 }).await;
        let (mut listed, mut last, mut pages) = (Vec::new(), None, 0);
        loop {
            let mut page = behind.dead_letters(last.as_ref(), MAX_DEAD_LETTERS).await.unwrap();
            listed.extend(page.iter_mut().map(|it| it.write.take().unwrap()));
            let Some(end) = page.pop() else { break };
            (last, pages) = (Some(end), pages + 1);
        }
        assert_eq!((listed.len(), pages), (250, 3));
        listed.sort_unstable();
        listed.dedup();
        assert!(listed.len() == 250 && listed.iter().all(|(key, value)| *value == key.to_string()));
        assert_eq!(behind.dead_letters(None, 7).await.unwrap().len(), 7);
        assert_eq!(behind.dead_letters(None, 0).await.unwrap().len(), 0);
        let many = behind.dead_letters(None, MAX_DEAD_LETTERS + 1).await.unwrap_err();
        assert_eq!(many.kind(), ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn a_page_of_dead_letters_does_not_depend_on_how_many_there_are() {
    let backend = Backend::on_redis().await;
    let server = backend.server.as_ref().unwrap();
    let behind = WriteBehind::builder(backend.store.clone(), "films", near_films());
    let behind = start(behind.without_worker(), &Written::default());
    let title = "x".repeat(5_000);
    behind.write(7, title.clone()).await.unwrap();
    // The copies are bound to another key, so that they cannot be read.
    let copies = "local key = redis.call('HKEYS', KEYS[1])[1] local it = redis.call('HGET', KEYS[1], key) \
                  redis.call('HSET', KEYS[2], key, it) \
                  for at = 1, 1000 do redis.call('HSET', KEYS[2], 'x ' .. at, it) end";
    let (journal, dead) = ("write-behind:{films}", "write-behind:{films}:dead");
    server
        .command(&["EVAL", copies, "2", journal, dead])
        .unwrap();
    let sent = || {
        let info = server.command(&["INFO", "stats"]).unwrap();
        let info = info.text().unwrap().into_owned();
        let sent = info
            .lines()
            .find_map(|line| line.strip_prefix("total_net_output_bytes:"));
        sent.unwrap().parse::<usize>().unwrap()
    };
    let before = sent();
    let page = behind.dead_letters(None, 100).await.unwrap();
    let sent = sent() - before;
    assert_eq!(page.len(), 100);
    let readable: Vec<_> = page.into_iter().filter_map(|it| it.write).collect();
    assert_eq!(readable, [(7, title)]);
    // A hundred letters and the ids of all, but not all letters.
    assert!((500_000..1_000_000).contains(&sent), "{sent} bytes");
}

#[tokio::test]
async fn a_write_is_bound_to_its_key_and_its_journal() {
    let counts = counts();
    let _recording = counts.record();
    let backend = Backend::on_redis().await;
    let server = backend.server.as_ref().unwrap();
    let written = Written::default();
    let journal = |name| {
        WriteBehind::builder(backend.store.clone(), name, near_films())
            .with_store_timeout(Duration::from_secs(10))
            .with_max_attempts(1)
    };
    let (films, other) = (journal("films"), journal("other"));
    let films = start(films.without_worker(), &written);
    let other = start(other.without_worker(), &written);
    for behind in [&films, &other] {
        behind.write(7, "seven".to_owned()).await.unwrap();
        behind.write(8, "eight".to_owned()).await.unwrap();
    }
    let swap = "local keys = redis.call('HKEYS', KEYS[1]) \
                local it = redis.call('HGET', KEYS[1], keys[1]) \
                redis.call('HSET', KEYS[1], keys[2], it) \
                redis.call('HSET', KEYS[2], keys[1], it)";
    let keys = ["write-behind:{films}", "write-behind:{other}"];
    server
        .command(&["EVAL", swap, "2", keys[0], keys[1]])
        .unwrap();
    for behind in [films, other] {
        let left = behind.shutdown(Duration::from_secs(20)).await.unwrap();
        assert_eq!((left.waiting, left.dead), (0, 1));
    }
    assert_eq!(written.lock().unwrap().len(), 2);
    assert_eq!(counts.count("larder_poisoned_total"), 2, "{counts:?}");
}

#[cfg(feature = "seal")]
#[tokio::test]
async fn the_journal_of_a_sealed_cache_is_sealed_and_takes_no_other_write() {
    use larder_cache::SealingKeys;

    let backend = Backend::on_redis().await;
    let server = backend.server.as_ref().unwrap();
    let journal = |is_sealed: bool, title: &'static str| {
        let films = backend.films();
        let films = match is_sealed {
            true => films.with_sealing(SealingKeys::new(1, [7; 32])),
            false => films,
        };
        let films = films.build().unwrap();
        let behind = WriteBehind::builder(backend.store.clone(), "films", films);
        let behind = behind.with_store_timeout(Duration::from_secs(10));
        (behind.with_max_attempts(1), title.to_owned())
    };
    let written = Written::default();
    let is_stored = |title: &str| {
        let finds = "for _, it in ipairs(redis.call('HVALS', KEYS[1])) do \
                     if string.find(it, ARGV[1], 1, true) then return 1 end end return 0";
        let found = server.command(&["EVAL", finds, "1", "write-behind:{films}", title]);
        found.unwrap().int() == Some(1)
    };
    let (behind, title) = journal(true, "secret");
    start(behind.without_worker(), &written)
        .write(7, title)
        .await
        .unwrap();
    assert!(!is_stored("secret"));
    let (behind, title) = journal(false, "forged");
    start(behind.without_worker(), &written)
        .write(8, title)
        .await
        .unwrap();
    assert!(is_stored("forged"), "the check can fail");
    let (behind, _) = journal(true, "");
    let left = start(behind, &written)
        .shutdown(Duration::from_secs(20))
        .await
        .unwrap();
    assert_eq!((left.waiting, left.dead), (1, 0));
    assert_eq!(*written.lock().unwrap(), ["secret"]);
    // A release from before the cache was sealed carries out its own.
    let (behind, _) = journal(false, "");
    let left = start(behind, &written)
        .shutdown(Duration::from_secs(20))
        .await
        .unwrap();
    assert_eq!((left.waiting, left.dead), (0, 0));
    assert_eq!(*written.lock().unwrap(), ["secret", "forged"]);
}

#[tokio::test]
async fn a_full_server_still_takes_writes_from_a_journal_and_discards_dead_letters() {
    let backend = Backend::on_redis().await;
    let server = backend.server.as_ref().unwrap();
    let ends = Arc::new(AtomicU32::new(0));
    let journal = || {
        WriteBehind::builder(backend.store.clone(), "films", near_films())
            .with_store_timeout(Duration::from_secs(10))
            .with_max_attempts(1)
    };
    let behind = start(journal().without_worker(), &Written::default());
    for film in 7..9 {
        behind.write(film, "Metropolis".to_owned()).await.unwrap();
    }
    server
        .command(&["CONFIG", "SET", "maxmemory", "1"])
        .unwrap();
    let full = behind.write(9, "new".to_owned()).await.unwrap_err();
    assert!(matches!(full.kind(), ErrorKind::Refused(_)), "{full}");
    let counted = ends.clone();
    let sink = move |write: QueuedWrite<u32, String>| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            if write.key == 7 {
                Ok(())
            } else {
                Err(Broken("refused"))
            }
        }
    };
    let worker = journal().start(sink).unwrap();
    let left = worker.shutdown(Duration::from_secs(20)).await.unwrap();
    assert_eq!(
        (ends.load(Ordering::SeqCst), left.waiting, left.dead),
        (2, 0, 1)
    );
    assert!(worker.discard(&8).await.unwrap());
    assert_eq!(worker.unwritten().await.unwrap().dead, 0);
}

/// The cache has no far store, but its settings are those of the journal.
#[tokio::test]
async fn a_cache_without_a_far_store_has_the_form_of_its_journal_too() {
    let films = Cache::<u32, String>::builder(OLDER, MINUTE).with_max_value(10);
    let store = Arc::new(MokaStore::new());
    let behind = WriteBehind::builder(store, "films", films.build().unwrap());
    let behind = start(behind.without_worker(), &Written::default());
    let error = behind.write(7, "Metropolis".to_owned()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("with_max_value"), "{error}");
}
