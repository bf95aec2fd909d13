use std::sync::Arc;

use bytes::Bytes;
use larder_cache::{Cache, Codec, Source};
use larder_moka::MokaStore;
use larder_store::{ManualClock, Put, Store};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::support::{
    Broken, FILM, MINUTE, Operation, Staged, beside, counts, far_films, far_key, films, load,
};

async fn put(store: &Staged, film: u32, bytes: impl Into<Bytes>) {
    let put = Put::new(far_key(film), bytes, MINUTE);
    let _ = store.model.put(&put).await.unwrap();
}

async fn bytes(store: &Staged, film: u32) -> Vec<u8> {
    let held = store.model.get(&far_key(film)).await.unwrap();
    held.unwrap().value.to_vec()
}

#[tokio::test]
async fn a_value_loaded_by_one_process_is_found_far_and_then_near_by_another() {
    let (one, store) = far_films();
    let two = beside(&ManualClock::default(), &store);
    load(&one, &7, "Metropolis").await;
    for source in [Source::Far, Source::Near] {
        let found = two
            .find_or_load(&7, || async { Err::<String, _>(Broken("not asked")) })
            .await
            .unwrap();
        assert_eq!((found.as_str(), found.source), ("Metropolis", source));
    }
}

#[tokio::test]
async fn an_in_process_store_serves_as_far_too() {
    let store = Arc::new(MokaStore::builder().build());
    let build = || {
        Cache::<u32, String>::builder(FILM, MINUTE)
            .with_far(store.clone())
            .build()
            .unwrap()
    };
    let (one, two) = (build(), build());
    load(&one, &7, "Metropolis").await;
    assert_eq!(two.find(&7).await.unwrap().source, Source::Far);
    two.remove(&7).await.unwrap();
    assert!(two.get(&7).await.is_none());
}

#[test]
fn any_change_in_a_far_value_is_a_miss_and_counted() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let counts = counts();
    let _recording = counts.record();
    let (films, store) = far_films();
    let whole = runtime.block_on(async {
        films.insert(7, "Metropolis".to_owned()).await.unwrap();
        let whole = bytes(&store, 7).await;
        films.remove(&7).await.unwrap();
        whole
    });
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(3_000));
    let changes = (
        any::<prop::sample::Index>(),
        1..=255_u8,
        any::<prop::sample::Index>(),
        0..4,
    );
    runner
        .run(&changes, |(at, change, cut, how)| {
            let mut bytes = whole.clone();
            match how {
                0 => bytes.truncate(cut.index(whole.len())),
                1 => bytes.push(change),
                _ => bytes[at.index(whole.len())] ^= change,
            }
            let found = runtime.block_on(async {
                put(&store, 7, bytes).await;
                films.get(&7).await
            });
            prop_assert!(found.is_none());
            Ok(())
        })
        .unwrap();
    assert_eq!(counts.count("larder_poisoned_total"), 3_000);

    runtime.block_on(async {
        put(&store, 7, whole).await;
        assert_eq!(*films.get(&7).await.unwrap(), "Metropolis");
    });
}

#[tokio::test]
async fn a_value_under_the_key_of_another_is_a_miss() {
    let counts = counts();
    let _recording = counts.record();
    let (films, store) = far_films();
    films.insert(7, "Metropolis".to_owned()).await.unwrap();
    put(&store, 8, bytes(&store, 7).await).await;
    assert!(films.get(&8).await.is_none());
    assert_eq!(counts.count("larder_poisoned_total"), 1);
}

/// A custom codec with a number. Two of them with different numbers could read the same bytes.
struct Plain(u8);

impl Codec<String> for Plain {
    fn id(&self) -> u8 {
        self.0
    }

    fn encode(&self, value: &String, out: &mut Vec<u8>) -> larder_store::Result<()> {
        out.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Option<String> {
        String::from_utf8(bytes.to_vec()).ok()
    }
}

#[tokio::test]
async fn a_custom_codec_reads_its_own_values_and_no_others() {
    let clock = ManualClock::default();
    let store = Arc::new(Staged::new(&clock));
    let with = |codec| {
        let builder = films(&clock).with_far_codec(store.clone(), codec);
        builder.build().unwrap()
    };
    with(Plain(128))
        .insert(7, "Metropolis".to_owned())
        .await
        .unwrap();
    assert_eq!(*with(Plain(128)).get(&7).await.unwrap(), "Metropolis");
    assert!(with(Plain(129)).get(&7).await.is_none());
}

#[tokio::test]
async fn a_value_of_an_earlier_release_is_a_miss_and_not_counted_as_damaged() {
    let counts = counts();
    let _recording = counts.record();
    let (new, store) = far_films();
    // The number of MessagePack in an earlier release, with the binary form of some types.
    let old = films(&ManualClock::default()).with_far_codec(store.clone(), Plain(1));
    let old = old.build().unwrap();
    old.insert(7, "Metropolis".to_owned()).await.unwrap();
    assert!(new.get(&7).await.is_none());
    assert_eq!(counts.count("larder_poisoned_total"), 0);
    assert_eq!(load(&new, &7, "Nosferatu").await, "Nosferatu");
    let other = beside(&ManualClock::default(), &store);
    assert_eq!(*other.get(&7).await.unwrap(), "Nosferatu");
}

#[tokio::test]
async fn a_value_in_an_earlier_layout_is_a_miss_and_not_counted_as_damaged() {
    let counts = counts();
    let _recording = counts.record();
    let (films, store) = far_films();
    films.insert(7, "Metropolis".to_owned()).await.unwrap();
    let mut earlier = bytes(&store, 7).await;
    films.remove(&7).await.unwrap();
    earlier[..4].copy_from_slice(b"lrc\x02");
    put(&store, 7, earlier).await;
    assert!(films.get(&7).await.is_none());
    assert_eq!(counts.count("larder_poisoned_total"), 0);
    assert_eq!(load(&films, &7, "Nosferatu").await, "Nosferatu");
}

#[tokio::test]
async fn a_custom_codec_that_cannot_read_a_value_back_is_refused_at_the_write() {
    /// A codec that cannot read what it writes.
    struct Forgetful;

    impl Codec<String> for Forgetful {
        fn id(&self) -> u8 {
            130
        }

        fn encode(&self, _: &String, out: &mut Vec<u8>) -> larder_store::Result<()> {
            out.push(0);
            Ok(())
        }

        fn decode(&self, _: &[u8]) -> Option<String> {
            None
        }
    }

    let store = Arc::new(Staged::new(&ManualClock::default()));
    let films = films(&ManualClock::default())
        .with_far_codec(store.clone(), Forgetful)
        .build()
        .unwrap();
    let error = films.insert(7, "Metropolis".to_owned()).await.unwrap_err();
    assert_eq!(error.kind(), larder_store::ErrorKind::Invalid);
    assert_eq!(store.count(Operation::Put), 0);
    assert_eq!(*films.get_near(&7).unwrap(), "Metropolis");
}

#[cfg(all(feature = "json", feature = "postcard"))]
#[tokio::test]
async fn a_value_in_another_codec_is_a_miss_and_each_codec_reads_its_own() {
    use larder_cache::{Json, MsgPack, Postcard};

    let clock = ManualClock::default();
    let store = Arc::new(Staged::new(&clock));
    let builders = || {
        [
            films(&clock).with_far_codec(store.clone(), MsgPack),
            films(&clock).with_far_codec(store.clone(), Postcard),
            films(&clock).with_far_codec(store.clone(), Json),
        ]
        .map(|builder| builder.build().unwrap())
    };
    for (writer, written) in builders().iter().enumerate() {
        written.insert(7, "Metropolis".to_owned()).await.unwrap();
        // New caches, without near copies.
        for (reader, read) in builders().iter().enumerate() {
            assert_eq!(read.get(&7).await.is_some(), reader == writer);
        }
    }
}

#[tokio::test]
async fn another_schema_is_another_key() {
    let clock = ManualClock::default();
    let store = Arc::new(Staged::new(&clock));
    let with = |schema| {
        let builder = films(&clock).with_schema(schema);
        builder.with_far(store.clone()).build().unwrap()
    };
    with(1).insert(7, "Metropolis".to_owned()).await.unwrap();
    assert!(with(2).get(&7).await.is_none());
    assert_eq!(*with(1).get(&7).await.unwrap(), "Metropolis");
}

#[tokio::test]
async fn a_value_that_is_too_large_stays_near() {
    let clock = ManualClock::default();
    let store = Arc::new(Staged::new(&clock));
    let films = films(&clock)
        .with_max_value(10)
        .with_far(store.clone())
        .build()
        .unwrap();
    let long = "A title that is longer than that";
    assert_eq!(load(&films, &7, long).await, long);
    assert!(films.get_near(&7).is_some());
    let error = films.insert(8, long.to_owned()).await.unwrap_err();
    assert_eq!(error.kind(), larder_store::ErrorKind::TooLarge);
    assert_eq!(store.count(Operation::Put), 0);
    assert!(films.get_near(&8).is_some());
}

#[tokio::test]
async fn a_type_that_cannot_be_serialized_is_cached_near() {
    struct Socket(std::net::TcpListener);
    let sockets = Cache::<u32, Socket>::builder(FILM, MINUTE).build().unwrap();
    let bind = || async { std::net::TcpListener::bind("127.0.0.1:0").map(Socket) };
    let one = sockets.get_or_load(&7, bind).await.unwrap();
    let two = sockets.get(&7).await.unwrap();
    assert_eq!(one.0.local_addr().unwrap(), two.0.local_addr().unwrap());
}

#[tokio::test]
async fn a_struct_may_gain_a_field_that_has_a_default() {
    #[derive(Serialize, Deserialize)]
    struct Old {
        title: String,
    }
    #[derive(Serialize, Deserialize)]
    struct New {
        title: String,
        #[serde(default)]
        year: u16,
    }
    let store: Arc<dyn Store> = Arc::new(Staged::new(&ManualClock::default()));
    let old = Cache::builder(FILM, MINUTE)
        .with_clock(ManualClock::default())
        .with_far(store.clone());
    let old: Cache<u32, Old> = old.build().unwrap();
    let title = "Metropolis".to_owned();
    old.insert(7, Old { title }).await.unwrap();
    let new = Cache::builder(FILM, MINUTE)
        .with_clock(ManualClock::default())
        .with_far(store);
    let new: Cache<u32, New> = new.build().unwrap();
    let film = new.get(&7).await.unwrap();
    assert_eq!((film.title.as_str(), film.year), ("Metropolis", 0));
}

#[tokio::test]
async fn each_answer_is_counted_once() {
    let counts = counts();
    let _recording = counts.record();
    let (one, store) = far_films();
    let two = beside(&ManualClock::default(), &store);
    load(&one, &7, "Metropolis").await; // a miss, and a load
    load(&one, &7, "Metropolis").await; // near
    load(&two, &7, "Metropolis").await; // far
    assert!(two.get(&8).await.is_none()); // a miss
    let failed = || async { Err::<String, _>(Broken("no film")) };
    one.get_or_load(&9, failed).await.unwrap_err(); // a miss, and a load that fails
    let expected = [
        ("larder_cache_hits_total near", 1),
        ("larder_cache_hits_total far", 1),
        ("larder_cache_misses_total", 3),
        ("larder_cache_loads_total ok", 1),
        ("larder_cache_loads_total error", 1),
        ("larder_cache_coalesced_total", 0),
    ];
    for (name, count) in expected {
        assert_eq!(counts.count(name), count, "{name} in {counts:?}");
    }
}
