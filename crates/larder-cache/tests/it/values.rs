//! Compression, sealing and checks of far values, in process and on Redis.

use std::collections::HashMap;

use allocation_counter::measure;
use larder_cache::{Codec, Compression, Json, MsgPack, Postcard, SealingKeys, Source};
use larder_layer::envelope;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::support::{Broken, MINUTE, counts, far_key, load, on_both};

const KEY: [u8; 32] = [7; 32];

fn long() -> &'static str {
    "Metropolis ".repeat(1_000).leak()
}

on_both! {
    async fn processes_with_and_without_compression_share_a_store(backend: Backend) {
        let plain = backend.films().build().unwrap();
        let lz4 = backend.films().with_compression(Compression::lz4());
        let zstd = backend.films().with_compression(Compression::zstd());
        let caches = [plain, lz4.build().unwrap(), zstd.build().unwrap()];
        for (film, cache) in caches.iter().enumerate() {
            load(cache, &(film as u32), long()).await;
        }
        let lengths = [
            backend.bytes(0).await,
            backend.bytes(1).await,
            backend.bytes(2).await,
        ];
        let [plain, lz4, zstd] = lengths.map(|bytes| bytes.len());
        assert!(
            plain > 11_000 && lz4 < 1_000 && zstd < 500,
            "{plain} {lz4} {zstd}"
        );
        for film in 0..3 {
            for cache in &caches {
                assert_eq!(*cache.get(&film).await.unwrap(), long());
            }
        }
    }

    async fn a_sealed_value_is_hidden_and_bound_to_its_key_and_time(backend: Backend) {
        let counts = counts();
        let _recording = counts.record();
        let poisoned = || counts.count("larder_poisoned_total");
        let sealed = || backend.films().with_sealing(SealingKeys::new(1, KEY));
        load(&sealed().build().unwrap(), &7, "Metropolis").await;
        let bytes = backend.bytes(7).await;
        assert!(!bytes.windows(5).any(|window| window == b"Metro"));
        let found = sealed().build().unwrap().find(&7).await.unwrap();
        assert_eq!((found.as_str(), found.source), ("Metropolis", Source::Far));

        // Without the key it is a miss, like a value of another deployment.
        assert!(backend.films().build().unwrap().get(&7).await.is_none());
        let other = backend.films().with_sealing(SealingKeys::new(2, KEY));
        assert!(other.build().unwrap().get(&7).await.is_none());
        assert_eq!(poisoned(), 0);

        // An attacker who may write to the store knows the layout, and computes a right checksum.
        let reframed = |mut bytes: Vec<u8>, film: u32| {
            envelope::seal(*b"lre\x03", &far_key(film), &mut bytes).unwrap();
            bytes
        };
        backend.put(8, reframed(bytes.clone(), 8)).await;
        assert!(
            sealed().build().unwrap().get(&8).await.is_none(),
            "moved to another key"
        );
        let mut changed = 0;
        for at in envelope::LEN..bytes.len() {
            let mut forged = bytes.clone();
            forged[at] ^= 1;
            backend.put(7, reframed(forged, 7)).await;
            assert!(
                sealed().build().unwrap().get(&7).await.is_none(),
                "byte {at}"
            );
            changed += 1;
        }
        assert!(poisoned() > changed / 2);

        // A value that is not sealed may have been written by anyone.
        let before = poisoned();
        load(&backend.films().build().unwrap(), &9, "Metropolis").await;
        assert!(sealed().build().unwrap().get(&9).await.is_none());
        assert_eq!(poisoned(), before + 1);
    }

    async fn keys_rotate_without_a_miss(backend: Backend) {
        let (old, new) = ([1; 32], [2; 32]);
        let steps = [
            SealingKeys::new(1, old),
            SealingKeys::new(1, old).with_additional(2, new),
            SealingKeys::new(2, new).with_additional(1, old),
            SealingKeys::new(2, new),
        ];
        let build = |keys: &SealingKeys| backend.films().with_sealing(keys.clone()).build().unwrap();
        for (film, pair) in steps.windows(2).enumerate().take(2) {
            let (one, two) = (build(&pair[0]), build(&pair[1]));
            let films = [film as u32 * 2, film as u32 * 2 + 1];
            load(&one, &films[0], "Metropolis").await;
            load(&two, &films[1], "Faust").await;
            assert!(two.get(&films[0]).await.is_some() && one.get(&films[1]).await.is_some());
        }
        assert!(
            build(&steps[3]).get(&0).await.is_none(),
            "the old key is gone"
        );
        assert!(build(&steps[3]).get(&3).await.is_some());
    }

    async fn a_value_that_the_check_rejects_is_a_miss_and_is_replaced(backend: Backend) {
        let counts = counts();
        let _recording = counts.record();
        load(&backend.films().build().unwrap(), &7, "metropolis").await;
        let capital = |title: &String| title.starts_with(char::is_uppercase);
        let checked = backend.films().with_check(capital).build().unwrap();
        assert!(checked.get(&7).await.is_none());
        assert_eq!(counts.count("larder_cache_rejected_total"), 1);
        assert_eq!(load(&checked, &7, "Metropolis").await, "Metropolis");
        let other = backend.films().with_check(capital).build().unwrap();
        assert_eq!(*other.get(&7).await.unwrap(), "Metropolis");
        assert_eq!(counts.count("larder_poisoned_total"), 0);
    }

    async fn a_value_that_is_too_large_once_decompressed_is_a_miss(backend: Backend) {
        let writer = backend.films().with_compression(Compression::zstd());
        load(&writer.build().unwrap(), &7, long()).await;
        let reader = backend.films().with_max_value(10_000).build().unwrap();
        assert!(reader.get(&7).await.is_none());
    }

    async fn that_a_value_is_absent_is_sealed_too(backend: Backend) {
        let sealed = || {
            backend
                .films()
                .with_negative_ttl(MINUTE)
                .with_sealing(SealingKeys::new(1, KEY))
                .build()
                .unwrap()
        };
        let absent = || async { Ok::<_, Broken>(None::<String>) };
        assert!(
            sealed()
                .find_or_load(&7, absent)
                .await
                .unwrap_err()
                .is_not_found()
        );
        let other = sealed();
        let loaded = other.find_or_load(&7, || async { Ok::<_, Broken>(Some("new".to_owned())) });
        assert!(loaded.await.unwrap_err().is_not_found());
        // Anyone may write that a value is absent, if it is not sealed.
        let open = backend.films().with_negative_ttl(MINUTE).build().unwrap();
        assert!(
            open.find_or_load(&8, absent)
                .await
                .unwrap_err()
                .is_not_found()
        );
        let loaded = other.find_or_load(&8, || async { Ok::<_, Broken>(Some("new".to_owned())) });
        assert_eq!(*loaded.await.unwrap().value, "new");
    }
}

/// Decodes bytes that claim to be much longer than they are.
fn stays_small<V: Serialize + DeserializeOwned>(codec: impl Codec<V>, bytes: &[u8]) {
    let info = measure(|| assert!(codec.decode(bytes).is_none()));
    let type_name = std::any::type_name::<V>();
    assert!(
        info.bytes_max < 3 << 20,
        "{type_name}: {} bytes",
        info.bytes_max
    );
}

#[test]
fn a_length_that_lies_allocates_next_to_nothing() {
    type Map = HashMap<u64, u64>;
    for head in [
        0xd9, 0xda, 0xdb, 0xc4, 0xc5, 0xc6, 0xdc, 0xdd, 0xde, 0xdf_u8,
    ] {
        let bytes = [head, 0xff, 0xff, 0xff, 0xff, 1];
        stays_small::<String>(MsgPack, &bytes);
        stays_small::<Vec<u8>>(MsgPack, &bytes);
        stays_small::<Vec<u64>>(MsgPack, &bytes);
        stays_small::<Map>(MsgPack, &bytes);
        stays_small::<serde_json::Value>(MsgPack, &bytes);
    }
    let bytes = [0xff, 0xff, 0xff, 0xff, 0x7f, 1, 1];
    stays_small::<String>(Postcard, &bytes);
    stays_small::<Vec<u8>>(Postcard, &bytes);
    stays_small::<Vec<u64>>(Postcard, &bytes);
    stays_small::<Map>(Postcard, &bytes);
    stays_small::<String>(Json, b"\"never ends");
    stays_small::<Vec<u64>>(Json, b"[1,1,1,1");
}
