use quick_cache::{Options, OptionsBuilder};

use super::held::{Weigh, Weigher};

/// The assumed weight of an entry when a capacity in weight is divided into shards.
const TYPICAL_WEIGHT: u64 = 1024;

/// The minimum number of entries that a shard is expected to hold.
const ENTRIES_PER_SHARD: usize = 32;

/// The maximum number of shards of a capacity in weight: each must have room for a heavy entry on
/// any machine.
const MAX_WEIGHT_SHARDS: usize = 16;

/// The maximum number of entries for which memory for evicted keys is reserved.
const MAX_ESTIMATE: usize = 1 << 24;

/// The maximum size of a [`NearCache`](crate::NearCache).
pub enum Capacity<K, V> {
    /// At most this many entries.
    Entries(u64),
    /// At most this total weight, such as bytes, by a function that weighs each entry.
    ///
    /// An entry of up to a twentieth of the capacity fits. A heavier one may not be kept.
    Weight(u64, Weigher<K, V>),
}

impl<K, V> Capacity<K, V> {
    /// Returns the options of a cache with this capacity, and how it weighs its entries.
    pub(super) fn into_options(self) -> (Options, Weigh<K, V>) {
        let (total, items, max_shards, weigher) = match self {
            Self::Entries(entries) => (entries, entries, usize::MAX, None),
            Self::Weight(total, weigher) => {
                let items = total / TYPICAL_WEIGHT;
                (total, items, MAX_WEIGHT_SHARDS, Some(weigher))
            }
        };
        let items = usize::try_from(items)
            .unwrap_or(usize::MAX)
            .min(MAX_ESTIMATE);
        let shards = shards(items).min(max_shards);
        let options = OptionsBuilder::new()
            .shards(shards)
            .estimated_items_capacity(items)
            // As many evicted keys are remembered as are kept: scans of new keys then cost less.
            .ghost_allocation(1.0)
            // Rounded down, because each shard rounds its part up.
            .weight_capacity(total - total % shards as u64)
            .build();
        // Both capacities, which are all that it asks for, are given.
        #[allow(clippy::expect_used)]
        let options = options.expect("the options of the near cache are complete");
        (options, Weigh(weigher))
    }
}

/// Returns the number of shards for this many entries: a power of two, and four for each core.
fn shards(items: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let fitting = (items / ENTRIES_PER_SHARD).max(1);
    (cores * 4).next_power_of_two().min(1 << fitting.ilog2())
}
