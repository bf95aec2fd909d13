//! Values of the typed cache.

use std::sync::Arc;

use bytes::Bytes;
use larder_cache::{Cache, CacheBuilder, Codec, MsgPack};
use larder_layer::envelope;
use larder_moka::MokaStore;
use larder_store::{Key, Kind, Put, Store, Ttl};
use tokio::runtime::Runtime;

use super::mutating::reseal;
use super::{Outcome, Target, reading, runtime};
use crate::fuzz::mutate::mutate;
use crate::fuzz::values::{Drawn, Film};

pub(super) const FILM: Kind = Kind::evictable("film");
pub(super) const HOUR: Ttl = Ttl::from_secs(3_600);
const ID: u32 = 7;

/// A codec alone.
pub(super) fn codec<V: Drawn + 'static>(codec: impl Codec<V>) -> Target {
    Box::new(move |random| {
        let mut bytes = Vec::new();
        let value = V::draw(random);
        codec.encode(&value, &mut bytes).expect("it can be written");
        mutate(&mut bytes, 0, random);
        reading(|| match codec.decode(&bytes) {
            // What was changed may well be a value.
            Some(_) => Outcome::Value,
            None => Outcome::Refused,
        })
    })
}

/// A cache over a store into which others write.
pub(super) struct Stand {
    pub(super) runtime: Runtime,
    pub(super) store: Arc<dyn Store>,
    films: Cache<u32, Film>,
}

impl Stand {
    pub(super) fn new(codec: impl Codec<Film>, keeps_near: bool) -> Self {
        Self::with(codec, |films| match keeps_near {
            true => films,
            false => films.without_near(),
        })
    }

    pub(super) fn with(
        codec: impl Codec<Film>,
        set: impl FnOnce(CacheBuilder<u32, Film>) -> CacheBuilder<u32, Film>,
    ) -> Self {
        let runtime = runtime();
        let store: Arc<dyn Store> = Arc::new(MokaStore::new());
        let films = set(Cache::builder(FILM, HOUR).with_far_codec(store.clone(), codec));
        let films = runtime.block_on(async { films.build().expect("a cache") });
        Self {
            runtime,
            store,
            films,
        }
    }

    /// Stores a value by the cache, and returns its bytes.
    pub(super) fn write(&self, film: Film) -> Vec<u8> {
        self.runtime.block_on(async {
            let stored = self.films.insert(ID, film).await;
            stored.expect("it is stored");
            let entry = self.store.get(&far_key()).await.expect("a store");
            entry.expect("it is there").value.to_vec()
        })
    }

    pub(super) fn put(&self, bytes: &[u8]) {
        let put = Put::new(far_key(), Bytes::copy_from_slice(bytes), HOUR);
        let stored = self.runtime.block_on(self.store.put(&put));
        assert!(stored.is_ok_and(|outcome| outcome.is_stored()));
    }

    /// Reads without a loader or with one.
    pub(super) fn read(&self, film: &Film, with_loader: bool) -> Outcome {
        let is_written = |read: &Film| match read == film {
            true => Outcome::Value,
            false => Outcome::Wrong,
        };
        self.runtime.block_on(async {
            if with_loader {
                let source = film.clone();
                let load = || async { Ok::<_, std::io::Error>(source) };
                return match self.films.find_or_load(&ID, load).await {
                    Ok(found) if found.source.is_hit() => is_written(&found.value),
                    Ok(_) => Outcome::Refused,
                    // What is cached says that the source has no such value.
                    Err(error) if error.is_not_found() => Outcome::Wrong,
                    Err(_) => Outcome::Failed,
                };
            }
            match self.films.get(&ID).await {
                Some(read) => is_written(&read),
                None => Outcome::Refused,
            }
        })
    }
}

pub(super) fn far_key() -> Key {
    Key::new(FILM, ("v0", ID))
}

/// Damaged bytes: a value is read only if the changes cancel out.
pub(super) fn stored() -> Target {
    let stand = Stand::new(MsgPack, false);
    Box::new(move |random| {
        let film = Film::draw(random);
        let mut bytes = stand.write(film.clone());
        mutate(&mut bytes, 0, random);
        stand.put(&bytes);
        let with_loader = random.u8(..8) == 0;
        reading(|| stand.read(&film, with_loader))
    })
}

/// Forged bytes with a correct checksum: any value may be read from them.
pub(super) fn resealed(codec: impl Codec<Film>) -> Target {
    resealed_on(Stand::new(codec, false))
}

/// The same on another stand. A value that the cache did not write counts as a value too.
pub(super) fn resealed_on(stand: Stand) -> Target {
    Box::new(move |random| {
        let film = Film::draw(random);
        let mut bytes = stand.write(film.clone());
        mutate(&mut bytes, envelope::LEN, random);
        reseal(&far_key(), &mut bytes);
        stand.put(&bytes);
        let with_loader = random.u8(..8) == 0;
        reading(|| match stand.read(&film, with_loader) {
            Outcome::Wrong => Outcome::Value,
            outcome => outcome,
        })
    })
}
