//! What reads bytes that others may have written.

use std::sync::Arc;

use allocation_counter::measure;
use bytes::Bytes;
use larder_cache::{Cache, Codec, Json, MsgPack, Postcard};
use larder_layer::envelope;
use larder_moka::MokaStore;
use larder_store::bus::{Bus, Channel, Topic};
use larder_store::{Key, Kind, Put, Store, Ttl};
use tokio::runtime::Runtime;

use super::mutate::mutate;
use super::values::{Drawn, Film, Tree};

const FILM: Kind = Kind::evictable("film");
const HOUR: Ttl = Ttl::from_secs(3_600);
const ID: u32 = 7;

/// What came of one input.
pub(super) struct Read {
    pub(super) outcome: Outcome,
    /// The most memory that was held at a time.
    pub(super) bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Value,
    /// It was refused: for a cache, a miss.
    Refused,
    /// It was read as a value, and is not what was written.
    Wrong,
    /// The caller got an error.
    Failed,
}

/// Reads one input after the other.
pub(super) type Target = Box<dyn FnMut(&mut fastrand::Rng) -> Read>;

/// A target and its name.
type Named = (&'static str, fn() -> Target);

/// All targets.
pub(super) const TARGETS: [Named; 8] = [
    ("stored bytes", stored),
    ("stored bytes with a right checksum, MsgPack", || {
        resealed(MsgPack)
    }),
    ("stored bytes with a right checksum, Postcard", || {
        resealed(Postcard)
    }),
    ("MsgPack, a struct", || codec::<Film>(MsgPack)),
    ("MsgPack, a recursive type", || codec::<Tree>(MsgPack)),
    ("Postcard, a struct", || codec::<Film>(Postcard)),
    ("Json, a recursive type", || codec::<Tree>(Json)),
    ("messages between processes", messages),
];

/// A codec alone.
fn codec<V: Drawn + 'static>(codec: impl Codec<V>) -> Target {
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
struct Stand {
    runtime: Runtime,
    store: Arc<dyn Store>,
    films: Cache<u32, Film>,
}

impl Stand {
    fn new(codec: impl Codec<Film>, keeps_near: bool) -> Self {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().expect("a runtime");
        let store: Arc<dyn Store> = Arc::new(MokaStore::new());
        let films = Cache::builder(FILM, HOUR).with_far_codec(store.clone(), codec);
        let films = match keeps_near {
            true => films,
            false => films.without_near(),
        };
        let films = runtime.block_on(async { films.build().expect("a cache") });
        Self {
            runtime,
            store,
            films,
        }
    }

    /// Stores a value by the cache, and returns its bytes.
    fn write(&self, film: Film) -> Vec<u8> {
        self.runtime.block_on(async {
            let stored = self.films.insert(ID, film).await;
            stored.expect("it is stored");
            let entry = self.store.get(&far_key()).await.expect("a store");
            entry.expect("it is there").value.to_vec()
        })
    }

    fn put(&self, bytes: &[u8]) {
        let put = Put::new(far_key(), Bytes::copy_from_slice(bytes), HOUR);
        let stored = self.runtime.block_on(self.store.put(&put));
        assert!(stored.is_ok_and(|outcome| outcome.is_stored()));
    }

    /// Reads without a loader or with one.
    fn read(&self, film: &Film, with_loader: bool) -> Outcome {
        self.runtime.block_on(async {
            if with_loader {
                let film = film.clone();
                let load = || async { Ok::<_, std::io::Error>(film) };
                return match self.films.find_or_load(&ID, load).await {
                    Ok(found) if found.source.is_hit() => Outcome::Value,
                    Ok(_) => Outcome::Refused,
                    // What is cached says that the source has no such value.
                    Err(error) if error.is_not_found() => Outcome::Wrong,
                    Err(_) => Outcome::Failed,
                };
            }
            match self.films.get(&ID).await {
                Some(read) if *read == *film => Outcome::Value,
                Some(_) => Outcome::Wrong,
                None => Outcome::Refused,
            }
        })
    }
}

fn far_key() -> Key {
    Key::new(FILM, ("v0", ID))
}

/// Bytes that were damaged: only those that are whole again are a value.
fn stored() -> Target {
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

/// Bytes that somebody forged, with a checksum that is right: any value may come of them.
fn resealed(codec: impl Codec<Film>) -> Target {
    let stand = Stand::new(codec, false);
    Box::new(move |random| {
        let film = Film::draw(random);
        let mut bytes = stand.write(film.clone());
        let magic = *bytes.first_chunk().expect("it begins with a magic");
        mutate(&mut bytes, envelope::LEN, random);
        // None if it is too short for a header.
        let _ = envelope::seal(magic, &far_key(), &mut bytes);
        stand.put(&bytes);
        let with_loader = random.u8(..8) == 0;
        reading(|| match stand.read(&film, with_loader) {
            Outcome::Wrong => Outcome::Value,
            outcome => outcome,
        })
    })
}

/// Messages that nobody of larder sent.
fn messages() -> Target {
    let stand = Stand::new(MsgPack, true);
    let bus: Arc<dyn Bus> = stand.store.clone().bus().expect("a bus");
    let channel = Channel::new(Topic::broadcast("cache-invalidated"), FILM.name());
    let film = Film::draw(&mut fastrand::Rng::with_seed(1));
    let _ = stand.write(film.clone());
    Box::new(move |random| {
        let mut payload = vec![random.u8(..4)];
        payload.extend(random.u64(..).to_le_bytes());
        payload.extend(envelope::key_hash(&far_key()).to_le_bytes());
        mutate(&mut payload, 0, random);
        payload.truncate(1_000);
        stand.runtime.block_on(async {
            let sent = bus.publish(&channel, Bytes::from(payload)).await;
            sent.expect("it is published");
            tokio::task::yield_now().await;
        });
        reading(|| match stand.read(&film, false) {
            Outcome::Refused => Outcome::Wrong,
            outcome => outcome,
        })
    })
}

fn reading(read: impl FnOnce() -> Outcome) -> Read {
    let mut outcome = Outcome::Failed;
    let bytes = measure(|| outcome = read()).bytes_max;
    Read { outcome, bytes }
}
