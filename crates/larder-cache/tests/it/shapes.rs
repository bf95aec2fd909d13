//! Each codec keeps a shape of serde, in both stores, or refuses its write and names the codecs
//! that keep it. `docs/caching.md` has the table.

mod types;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use larder_cache::{Cache, Codec, Json, MsgPack, Postcard, Source};
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::{ErrorKind, Kind, Store};
use larder_test::server::RedisServer;
use serde::{Serialize, de::DeserializeOwned};

use crate::support::{Broken, MINUTE, counts};
use types::*;

const SHAPE: Kind = Kind::evictable("shape");
const CODECS: [&str; 3] = ["MsgPack", "Postcard", "Json"];

#[tokio::test]
async fn each_shape_comes_back_from_each_codec_or_is_refused_as_the_docs_say() {
    let bench = Bench::start().await;
    let rows = bench.rows().await;
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/caching.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let missing: Vec<_> = rows.iter().filter(|row| !docs.contains(*row)).collect();
    assert!(missing.is_empty(), "not in docs/caching.md: {missing:#?}");
    assert!(rows.iter().any(|row| row.contains("refused")));
}

#[tokio::test]
async fn a_refused_value_is_near_and_counted_when_it_is_written_and_not_when_it_is_read() {
    let counts = counts();
    let _recording = counts.record();
    let store: Arc<dyn Store> = Arc::new(MokaStore::builder().build());
    let build = || {
        let builder = Cache::<u32, Option<Option<u8>>>::builder(SHAPE, MINUTE);
        builder.with_far(store.clone()).build().unwrap()
    };
    let (one, two) = (build(), build());
    let load = || async { Ok::<_, Broken>(Some(None)) };
    assert_eq!(*one.get_or_load(&7, load).await.unwrap(), Some(None));
    assert_eq!(one.find(&7).await.unwrap().source, Source::Near);
    assert!(two.get(&7).await.is_none());
    assert_eq!(
        *one.get_or_load(&8, || async { Ok::<_, Broken>(Some(Some(1))) })
            .await
            .unwrap(),
        Some(Some(1))
    );
    assert_eq!(two.find(&8).await.unwrap().source, Source::Far);
    let counted = [
        ("larder_cache_far_errors_total encode", 1),
        ("larder_cache_far_errors_total put", 0),
        ("larder_poisoned_total", 0),
    ];
    for (name, count) in counted {
        assert_eq!(counts.count(name), count, "{name} in {counts:?}");
    }
}

#[tokio::test]
async fn sets_and_maps_of_any_order_come_back() {
    let bench = Bench::start().await;
    let set: HashSet<String> = (0..1_000).map(|n| n.to_string()).collect();
    let map: HashMap<String, HashSet<u32>> = (0..100)
        .map(|n| (n.to_string(), (0..n).collect()))
        .collect();
    for name in CODECS {
        assert!(
            bench
                .keeps(name, set.clone(), |near, far| near == far)
                .await
        );
        assert!(
            bench
                .keeps(name, map.clone(), |near, far| near == far)
                .await
        );
    }
}

/// The two stores of the caches: in process, and Redis.
struct Bench {
    stores: [Arc<dyn Store>; 2],
    next: AtomicU32,
    _server: RedisServer,
}

impl Bench {
    async fn start() -> Self {
        let server = RedisServer::start().unwrap();
        let long = Duration::from_secs(10);
        let redis = RedisStore::builder(&server.url())
            .with_timeout(long)
            .with_connect_timeout(long);
        Self {
            stores: [
                Arc::new(MokaStore::builder().build()),
                Arc::new(redis.connect().await.unwrap()),
            ],
            next: AtomicU32::new(0),
            _server: server,
        }
    }

    async fn rows(&self) -> Vec<String> {
        let address: IpAddr = [192, 0, 2, 7].into();
        let numbers = BTreeMap::from([(1_u32, "one".to_owned()), (70_000, "many".to_owned())]);
        let words = BTreeMap::from([("one".to_owned(), 1_u32), ("two".to_owned(), 2)]);
        vec![
            self.row(
                "struct, tuple, list, array",
                (Plain::new(), [7_u8; 32], (1, "a".to_owned())),
            )
            .await,
            self.row(
                "text, `Cow`, `char`",
                (
                    "naïve \u{1F3AC}\0".to_owned(),
                    Cow::<'static, str>::Borrowed("c"),
                    '\u{1F3AC}',
                ),
            )
            .await,
            self.row("bytes", vec![Bytes(vec![]), Bytes((0..=255).collect())])
                .await,
            self.row(
                "64 bits and fewer",
                (u64::MAX, i64::MIN, u8::MAX, i8::MIN, true),
            )
            .await,
            self.row("`u128`, `i128`", (u128::MAX, 0_u128, i128::MIN, -1_i128))
                .await,
            self.row(
                "floats",
                (0.1_f32, f32::MIN_POSITIVE, -0.0_f64, f64::MAX, 1e-310_f64),
            )
            .await,
            self.row("infinity, NaN", (f64::INFINITY, f64::NAN)).await,
            self.row("NaN in an option", Some(f64::NAN)).await,
            self.row("option", (None::<u8>, Some(1_u8), Some(String::new())))
                .await,
            self.row("option in an option", Some(None::<u8>)).await,
            self.row("unit in an option", Some(())).await,
            self.row("unit struct in an option", Some(Unit)).await,
            self.row("unit, unit struct", ((), Unit, vec![Unit], Empty {}))
                .await,
            self.row(
                "`Duration`, `SystemTime`, `Result`",
                (
                    Duration::new(7, 1),
                    UNIX_EPOCH + Duration::new(9, 9),
                    Ok::<u8, String>(1),
                    Err::<u8, String>("no".to_owned()),
                ),
            )
            .await,
            self.row(
                "`IpAddr`, `SocketAddr`",
                (
                    address,
                    SocketAddr::from((address, 80)),
                    IpAddr::from([0_u16; 8]),
                ),
            )
            .await,
            self.row("type with two forms", vec![Stamp(7), Stamp(u64::MAX)])
                .await,
            self.row("externally tagged enum", External::all()).await,
            self.row(
                "internally tagged enum",
                vec![
                    Internal::Seen {
                        by: address,
                        at: Stamp(7),
                    },
                    Internal::Gone,
                ],
            )
            .await,
            self.row(
                "internally tagged, a map with numbers as keys",
                vec![InternalMap::Map {
                    names: numbers.clone(),
                }],
            )
            .await,
            self.row(
                "internally tagged, bytes",
                vec![InternalBytes::Body {
                    bytes: Bytes(vec![0, 159, 255]),
                }],
            )
            .await,
            self.row(
                "internally tagged, `u128` past 64 bits",
                vec![InternalWide::Wide { wide: u128::MAX }],
            )
            .await,
            self.row(
                "adjacently tagged enum",
                vec![
                    Adjacent::Seen {
                        by: address,
                        at: Stamp(7),
                    },
                    Adjacent::Pair(1, 2),
                    Adjacent::Gone,
                ],
            )
            .await,
            self.row(
                "untagged enum",
                vec![
                    Untagged::Address(address),
                    Untagged::Number(-7),
                    Untagged::Name("a".to_owned()),
                ],
            )
            .await,
            self.row(
                "untagged, bytes",
                vec![UntaggedBytes::Bytes(Bytes(vec![0, 159, 255]))],
            )
            .await,
            self.row(
                "untagged, where an earlier variant fits too",
                vec![Overlapping::Wide(5)],
            )
            .await,
            self.row(
                "flattened struct",
                Flat {
                    id: 7,
                    rest: Rest {
                        by: address,
                        at: Stamp(7),
                    },
                },
            )
            .await,
            self.row(
                "flattened map",
                FlatMap {
                    id: 7,
                    rest: words.clone(),
                },
            )
            .await,
            self.row(
                "flattened map with numbers as keys",
                FlatNumbers {
                    id: 7,
                    rest: numbers.clone(),
                },
            )
            .await,
            self.row("map with numbers as keys", numbers.clone()).await,
            self.row(
                "map with addresses or variants as keys",
                (
                    BTreeMap::from([(address, 1)]),
                    BTreeMap::from([(Side::Left, 1)]),
                ),
            )
            .await,
            self.row("map with tuples as keys", BTreeMap::from([((1, 2), 3)]))
                .await,
            self.row(
                "map with options as keys",
                BTreeMap::from([(None, 1), (Some(2), 3)]),
            )
            .await,
            self.row(
                "field skipped if none",
                vec![
                    Skipping { note: None, n: 1 },
                    Skipping {
                        note: Some(2),
                        n: 3,
                    },
                ],
            )
            .await,
            self.row("field that is written and not read", Forgetful { n: 1 })
                .await,
            self.row(
                "`serde_json::Value`",
                serde_json::json!({"a": [1, -1, 1.5, null, "x"], "b": {}}),
            )
            .await,
            self.row("nested 60 deep", Nested::of_depth(30)).await,
            self.row("nested 800 deep", Nested::of_depth(400)).await,
        ]
    }

    /// Returns the line of the table, which is the same in both stores.
    async fn row<V>(&self, shape: &str, value: V) -> String
    where
        V: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let mut line = format!("| {shape} |");
        // Compared as text, so that NaN equals itself.
        let same = |near: &V, far: &V| format!("{near:?}") == format!("{far:?}");
        for name in CODECS {
            let kept = self.keeps(name, value.clone(), same).await;
            line += if kept { " kept |" } else { " refused |" };
        }
        line
    }

    async fn keeps<V>(&self, codec: &str, value: V, same: impl Fn(&V, &V) -> bool) -> bool
    where
        V: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let mut kept = Vec::new();
        for store in &self.stores {
            let [one, two] = std::array::from_fn(|_| match codec {
                "MsgPack" => cache(store, MsgPack),
                "Postcard" => cache(store, Postcard),
                _ => cache(store, Json),
            });
            let id = self.next.fetch_add(1, Ordering::Relaxed);
            let written = one.insert(id, value.clone()).await;
            let near = one.get_near(&id).unwrap();
            assert!(same(&near, &value));
            let far = two.get(&id).await;
            match &written {
                Ok(()) => assert!(same(&far.unwrap(), &value), "{codec} changed a value"),
                Err(error) => {
                    assert!(far.is_none());
                    assert_eq!(error.kind(), ErrorKind::Invalid);
                    assert!(error.to_string().contains(&advice(&value)), "{error}");
                }
            }
            kept.push(written.is_ok());
        }
        assert_eq!(kept[0], kept[1], "{codec} keeps it in one store alone");
        kept[0]
    }
}

fn cache<V>(store: &Arc<dyn Store>, codec: impl Codec<V>) -> Cache<u32, V>
where
    V: Send + Sync + 'static,
{
    let builder = Cache::builder(SHAPE, MINUTE);
    let long = Duration::from_secs(10);
    let builder = builder.with_far_codec(store.clone(), codec);
    builder.with_store_timeout(long).build().unwrap()
}

/// Returns the text that the error of a refused value must contain: the codecs that keep it.
fn advice<V: Serialize + DeserializeOwned + 'static>(value: &V) -> String {
    let codecs: [&dyn Codec<V>; 3] = [&MsgPack, &Postcard, &Json];
    let keep = |codec: &&dyn Codec<V>| {
        let mut bytes = Vec::new();
        codec.encode(value, &mut bytes).is_ok() && codec.verify(value, &bytes).is_ok()
    };
    let able: Vec<_> = CODECS
        .into_iter()
        .zip(codecs)
        .filter_map(|(name, codec)| keep(&codec).then_some(name))
        .collect();
    if able.is_empty() {
        "no codec of this build can".to_owned()
    } else {
        format!("choose {}", able.join(" or "))
    }
}
