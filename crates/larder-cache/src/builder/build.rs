use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use foldhash::quality::RandomState;
use larder_layer::tags::{Tag, Tags};
use larder_layer::{
    Capacity, NearCache, Pending, ReplayTask, SingleFlight, StoreHealth, StoreTimeout,
};
use larder_store::{Content, Error, ErrorKind, Kind, Result, Space, Ttl};
use metrics::{Gauge, counter};
use tokio::sync::Notify;

use super::{CacheBuilder, MAX_TIMEOUT};
use crate::breaker::Breaker;
use crate::cache::{Cache, CacheKey, Inner};
use crate::far::Far;
use crate::lifetime::Lifetime;
use crate::metrics::Metrics;
use crate::pending;
use crate::remote::Remote;
use crate::tags::{FarTags, PendingTags};
use crate::values::ValueFormat;
use crate::write_locks::WriteLocks;

/// The default near TTL of a cache that has a far store.
const NEAR_TTL: Ttl = Ttl::from_secs(30);

/// The maximum number of schemas that are invalidated in addition to a cache's own.
const MAX_OTHER_SCHEMAS: usize = 8;

impl<K: CacheKey, V: Send + Sync + 'static> CacheBuilder<K, V> {
    /// Builds the cache. Its metrics go to the recorder that is installed now.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the kind was not made by [`Kind::evictable`], a setting is out of
    /// range, or two settings contradict each other. The error says which.
    pub fn build(self) -> Result<Cache<K, V>> {
        self.check()?;
        let mut other_schemas = self.other_schemas;
        other_schemas.retain(|schema| *schema != self.schema);
        other_schemas.sort_unstable();
        other_schemas.dedup();
        let near_ttl = match (self.near_ttl, &self.far) {
            (Some(asked), _) => Ttl::covering(asked),
            (None, Some(_)) => NEAR_TTL,
            // A loader may choose a longer TTL than the cache's.
            (None, None) => Ttl::MAX,
        };
        let timeout = StoreTimeout::new(self.store_timeout, None);
        let bus = self.far.as_ref().filter(|_| self.uses_bus);
        let remote = bus
            .and_then(|(store, _)| store.clone().bus())
            .map(|bus| Remote::new(bus, self.kind, timeout));
        let programs = self
            .far
            .as_ref()
            .and_then(|(store, _)| store.clone().programs());
        let far_tags = programs.map(|programs| FarTags {
            client: Tags::new(
                programs,
                bus.and_then(|(store, _)| store.clone().bus()),
                timeout,
                if self.keeps_near {
                    // A near copy of a tagged value lives for the other half.
                    Duration::from(near_ttl) / 2
                } else {
                    Duration::ZERO
                },
            ),
            pending: PendingTags::new(),
            keep: tag_memory(self.load_timeout),
        });
        let format = ValueFormat {
            schema: self.schema,
            max_value: self.max_value,
            packing: self.packing,
        };
        let far = self.far.map(|(store, codec)| Far {
            kind: self.kind,
            format: format.clone(),
            other_schemas: other_schemas.into(),
            leases: store.clone().leases(),
            store,
            idle: self.idle_ttl,
            hold: self.lease,
            codec,
            timeout,
            check: self.check,
            rejected: counter!("larder_cache_rejected_total", "kind" => self.kind.name()),
            tags: far_tags,
            locks: WriteLocks::new(),
            breaker: Breaker::new(self.clock.clone(), timeout.limit()),
            health: StoreHealth::new(format!("cache '{}'", self.kind.name())),
            refusal_logged: AtomicBool::new(false),
            shows_key_hashes: self.shows_key_hashes,
        });
        let metrics = Metrics::new(self.kind);
        let near_weight = match self.near {
            // It would only repeat the number of entries.
            Capacity::Entries(_) => Gauge::noop(),
            Capacity::Weight(..) => metrics.near_bytes(),
        };
        Ok(Cache::from_inner(Inner {
            kind: self.kind,
            near: NearCache::new(self.near).with_gauges(metrics.near_entries(), near_weight),
            keeps_near: self.keeps_near,
            format,
            far,
            remote,
            pending: Pending::new(pending::MAX),
            replay_task: ReplayTask::default(),
            clear_tag: self.can_clear.then(|| clear_tag(self.kind)),
            flights: SingleFlight::with_gauge(self.max_loads, metrics.loads_in_flight()),
            refresher: self.refresher,
            lifetime: Lifetime {
                ttl: self.ttl,
                near: near_ttl,
                jitter: self.jitter,
                refresh_after: self.refresh_after,
                stale_if_error: self.stale_if_error,
                negative: self.negative_ttl,
                idle: self.idle_ttl,
                early_refresh: self.early_refresh,
            },
            load_timeout: self.load_timeout.min(MAX_TIMEOUT),
            soft_timeout: self.soft_timeout.map(|soft| soft.min(MAX_TIMEOUT)),
            retry_after: self.retry_after.min(MAX_TIMEOUT),
            max_retry_after: self.max_retry_after.min(MAX_TIMEOUT),
            fallback_kept: Notify::new(),
            steps: AtomicU64::new(0),
            hasher: RandomState::default(),
            clock: self.clock,
            metrics,
        }))
    }

    fn check(&self) -> Result<()> {
        let near = match self.near {
            Capacity::Entries(capacity) | Capacity::Weight(capacity, _) => capacity,
        };
        let wrong = if self.kind.space() != Space::Evictable
            || self.kind.content() != Content::Value
        {
            "make its kind with Kind::evictable, because a cache may lose any value"
        } else if !(0.0..=1.0).contains(&self.jitter) {
            "the jitter must be from 0 to 1"
        } else if near == 0 {
            "the near capacity must be at least 1: see with_max_near_entries and with_max_near_weight"
        } else if self.max_value == 0 {
            "the maximum number of bytes of a far value must be at least 1: see with_max_value"
        } else if self.max_loads == 0 {
            "the cap on loads must be at least 1: see with_max_loads"
        } else if self.near_ttl.is_some_and(|ttl| ttl.is_zero()) {
            "the near TTL must be longer than zero: use without_near to keep nothing near"
        } else if self.load_timeout.is_zero() {
            "the load timeout must be longer than zero"
        } else if !self.keeps_near && self.far.is_none() {
            "without_near needs a far store: add one with with_far"
        } else if !(0.0..=100.0).contains(&self.early_refresh) {
            "the factor of early refresh must be from 0 to 100"
        } else if self
            .refresher
            .as_ref()
            .is_some_and(|refresher| refresher.max() == 0)
        {
            "a refresh batch must hold at least 1 key"
        } else if self.other_schemas.len() > MAX_OTHER_SCHEMAS {
            "at most 8 schemas may be invalidated in addition to its own"
        } else if self.soft_timeout.is_some() && self.stale_if_error.is_none() {
            "a soft timeout needs with_stale_if_error, so that a stale value may be served after it"
        } else if self.idle_ttl.is_some() && self.stale_if_error.is_some() {
            "with_idle_ttl cannot be combined with with_stale_if_error: remove one of them"
        } else if self.retry_after > self.max_retry_after {
            "the first pause after a failed load must not be longer than the longest: see with_retry_after"
        } else {
            return Ok(());
        };
        let detail = format!("cache of kind '{}': {wrong}", self.kind.name());
        Err(Error::new("build", ErrorKind::Invalid, detail))
    }
}

/// Returns the tag that every value of a cache carries. An app's tags never begin like this.
fn clear_tag(kind: Kind) -> Tag {
    Tag::new(&format!("\0cache:{}", kind.name()))
}

/// Returns how long a change of a tag is remembered: longer than any load runs.
fn tag_memory(load_timeout: Duration) -> Ttl {
    let least = Duration::from_secs(60 * 60);
    Ttl::covering(load_timeout.min(MAX_TIMEOUT).saturating_mul(2).max(least))
}
