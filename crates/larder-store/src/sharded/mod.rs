mod leases;
mod place;
mod programs;
mod scan;
mod together;
mod waits;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;

use crate::bus::Bus;
use crate::lease::Leases;
use crate::program::Programs;
use crate::scan::Scan;
use crate::wait::Waits;
use crate::{
    Delete, DeleteOutcome, Entry, Error, ErrorKind, ExpireOutcome, Key, Put, PutOutcome, Refusal,
    Result, Space, Store, Ttl,
};
use leases::ShardedLeases;
use place::Places;
use programs::ShardedPrograms;
use scan::ShardedScan;
use together::{merge, split, together};
use waits::ShardedWaits;

/// The maximum number of shards of a store.
pub const MAX_SHARDS: usize = 128;

/// One of the stores that a [`Sharded`] store spreads its keys over.
#[derive(Clone)]
pub struct Shard {
    name: Box<str>,
    store: Arc<dyn Store>,
    weight: NonZeroU32,
}

impl Shard {
    /// Makes the shard `name` on `store`.
    ///
    /// The name decides which keys the shard has: keep it when the address of the server changes.
    pub fn new(name: impl Into<Box<str>>, store: Arc<dyn Store>) -> Self {
        Self {
            name: name.into(),
            store,
            weight: NonZeroU32::MIN,
        }
    }

    /// Sets how many keys the shard has in proportion to the others. The default is 1.
    #[must_use]
    pub fn with_weight(mut self, weight: NonZeroU32) -> Self {
        self.weight = weight;
        self
    }
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard")
            .field("name", &self.name)
            .field("weight", &self.weight)
            .finish_non_exhaustive()
    }
}

/// A store that spreads its keys over several stores, by rendezvous hashing with weights.
///
/// # Rules
/// 1. A key is on one shard, by the names of the shards and the key's id alone: all kinds and parts of
///    one id are together. The order of the shards does not matter.
/// 2. A shard that is added takes its share from the others, and no other key moves. What moves is not
///    copied: cached values are loaded again, and pinned ones must be moved by you beforehand.
/// 3. Operations on the pinned keys of an unreachable shard fail; they never go to another shard. Reads
///    of its evictable keys are misses; writes of them fail. So a miss does not prove that a key is absent:
///    end an invalidation with a write. To see whether a shard answers, read a pinned key. Other shards go
///    on.
/// 4. Many keys are split by shard and sent concurrently, with a result for each.
/// 5. Programs, leases, waits and scans are offered if all shards offer them. The bus is that of the
///    shard whose name sorts first, by its bytes: while it is unreachable, no messages pass.
///
/// Give every process the same names and weights. To survive the failure of a server without a loss,
/// use a cluster or sentinels; a shard may be one of these.
///
/// ```
/// use std::sync::Arc;
/// use larder_store::{Shard, Sharded, Store};
///
/// fn spread(one: Arc<dyn Store>, other: Arc<dyn Store>) -> larder_store::Result<Sharded> {
///     Sharded::new([Shard::new("one", one), Shard::new("other", other)])
/// }
/// ```
pub struct Sharded {
    shards: Arc<Shards>,
}

pub(crate) struct Shards {
    places: Places,
    all: Vec<Shard>,
    location: String,
}

impl Sharded {
    /// Makes the store over `shards`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] without a shard, past [`MAX_SHARDS`], and if two have the same name.
    pub fn new(shards: impl IntoIterator<Item = Shard>) -> Result<Self> {
        let mut all: Vec<Shard> = shards.into_iter().collect();
        // So the order in which they are named changes neither the bus nor the position of a scan.
        all.sort_by(|one, other| one.name.cmp(&other.name));
        let invalid = |text: String| Err(Error::new("build", ErrorKind::Invalid, text));
        if all.is_empty() || all.len() > MAX_SHARDS {
            return invalid(format!(
                "a sharded store has 1 to {MAX_SHARDS} shards, but {} were given",
                all.len()
            ));
        }
        if all.windows(2).any(|pair| pair[0].name == pair[1].name) {
            return invalid("two shards have the same name: give each its own".to_owned());
        }
        let locations: Vec<_> = all.iter().map(|shard| shard.store.location()).collect();
        let location = locations.join(",");
        let places = Places::new(all.iter().map(|shard| (&*shard.name, shard.weight)));
        let shards = Arc::new(Shards {
            places,
            all,
            location,
        });
        Ok(Self { shards })
    }

    /// Returns the name of the shard that holds `key`.
    pub fn shard_of(&self, key: &Key) -> &str {
        &self.shards.all[self.shards.number_of(key)].name
    }
}

impl Shards {
    fn number_of(&self, key: &Key) -> usize {
        self.places.of(key.as_bytes())
    }

    fn store(&self, key: &Key) -> &dyn Store {
        &*self.all[self.number_of(key)].store
    }

    /// Returns each shard's capability, if all of them have it.
    fn offer<T>(&self, offer: impl Fn(Arc<dyn Store>) -> Option<T>) -> Option<Vec<T>> {
        let shards = self.all.iter();
        shards.map(|shard| offer(shard.store.clone())).collect()
    }

    /// Turns a failed read of an evictable key into a miss if its shard cannot be reached.
    fn read<T>(&self, key: &Key, answer: Result<Option<T>>) -> Result<Option<T>> {
        match answer {
            Err(error) if key.kind().space() == Space::Evictable && is_lost(error.kind()) => {
                let shard = self.all[self.number_of(key)].name.to_string();
                metrics::counter!("larder_sharded_lost_reads_total", "shard" => shard).increment(1);
                Ok(None)
            }
            answer => answer,
        }
    }
}

/// Returns whether an error says that the shard cannot be reached.
fn is_lost(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotSent | ErrorKind::MayHaveRun | ErrorKind::Refused(Refusal::Unavailable)
    )
}

#[async_trait]
impl Store for Sharded {
    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let answer = self.shards.store(key).get(key).await;
        self.shards.read(key, answer)
    }

    async fn put(&self, put: &Put) -> Result<PutOutcome> {
        self.shards.store(put.key()).put(put).await
    }

    async fn delete(&self, delete: &Delete) -> Result<DeleteOutcome> {
        self.shards.store(delete.key()).delete(delete).await
    }

    async fn expire(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome> {
        self.shards.store(key).expire(key, ttl).await
    }

    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> {
        let answer = self.shards.store(key).ttl(key).await;
        self.shards.read(key, answer)
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        let shards = &self.shards;
        let parts = split(shards.all.len(), keys.iter().cloned(), |key| {
            shards.number_of(key)
        });
        let reads = parts.into_iter().map(|(shard, places, keys)| async move {
            (places, shards.all[shard].store.get_many(&keys).await)
        });
        let answers = together(reads.collect()).await;
        let answers = merge(keys.len(), "get_many", answers);
        let answers = keys.iter().zip(answers);
        answers
            .map(|(key, answer)| shards.read(key, answer))
            .collect()
    }

    async fn put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> {
        let shards = &self.shards;
        let shard_of = |put: &Put| shards.number_of(put.key());
        let parts = split(shards.all.len(), puts.iter().cloned(), shard_of);
        let writes = parts.into_iter().map(|(shard, places, puts)| async move {
            (places, shards.all[shard].store.put_many(&puts).await)
        });
        merge(puts.len(), "put_many", together(writes.collect()).await)
    }

    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>> {
        let shards = &self.shards;
        let shard_of = |delete: &Delete| shards.number_of(delete.key());
        let parts = split(shards.all.len(), deletes.iter().cloned(), shard_of);
        let removals = parts
            .into_iter()
            .map(|(shard, places, deletes)| async move {
                (places, shards.all[shard].store.delete_many(&deletes).await)
            });
        merge(
            deletes.len(),
            "delete_many",
            together(removals.collect()).await,
        )
    }

    fn location(&self) -> &str {
        &self.shards.location
    }

    fn get_now(&self, key: &Key) -> Poll<Result<Option<Entry>>> {
        let answer = self.shards.store(key).get_now(key);
        answer.map(|answer| self.shards.read(key, answer))
    }

    fn put_now(&self, put: &Put) -> Poll<Result<PutOutcome>> {
        self.shards.store(put.key()).put_now(put)
    }

    fn delete_now(&self, delete: &Delete) -> Poll<Result<DeleteOutcome>> {
        self.shards.store(delete.key()).delete_now(delete)
    }

    fn programs(self: Arc<Self>) -> Option<Arc<dyn Programs>> {
        Some(Arc::new(ShardedPrograms {
            inner: self.shards.offer(Store::programs)?,
            shards: self.shards.clone(),
        }))
    }

    fn waits(self: Arc<Self>) -> Option<Arc<dyn Waits>> {
        Some(Arc::new(ShardedWaits {
            inner: self.shards.offer(Store::waits)?,
            shards: self.shards.clone(),
        }))
    }

    fn leases(self: Arc<Self>) -> Option<Arc<dyn Leases>> {
        Some(Arc::new(ShardedLeases {
            inner: self.shards.offer(Store::leases)?,
            shards: self.shards.clone(),
        }))
    }

    fn bus(self: Arc<Self>) -> Option<Arc<dyn Bus>> {
        self.shards.all.first()?.store.clone().bus()
    }

    fn scan(self: Arc<Self>) -> Option<Arc<dyn Scan>> {
        let inner = self.shards.offer(Store::scan)?;
        Some(Arc::new(ShardedScan { inner }))
    }
}

impl fmt::Debug for Sharded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.shards.all).finish()
    }
}
