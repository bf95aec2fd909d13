use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use http::HeaderName;
use http::uri::Scheme;
use larder_store::{Clock, Error, ErrorKind, Result, Store, SystemClock};

use crate::ResponseCacheLayer;
use crate::engine::{MAX_SELECTING_FIELDS, Profile};
use crate::metrics::Metrics;
use crate::miss::Flights;
use crate::miss::HitForMiss;
use crate::policy::ResponsePolicy;
use crate::request::QueryFilter;
use crate::response::RecordingLimit;
use crate::response::is_name;
use crate::state::CacheState;
use crate::storage::Far;
use crate::storage::Front;
use crate::storage::Storage;

/// Bytes that all responses which are being stored hold together, if nothing else is said.
const MAX_RECORDING: usize = 64 * 1024 * 1024;

/// Makes a [`ResponseCacheLayer`]: [`ResponseCacheLayer::builder`] begins one,
/// [`build`](Self::build) ends it.
#[must_use]
pub struct ResponseCacheBuilder {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    profile: Profile,
    name: String,
    scheme: Option<Scheme>,
    query: QueryFilter,
    key_fields: Vec<HeaderName>,
    targeted: Vec<HeaderName>,
    tag_field: HeaderName,
    max_near_bytes: usize,
    near_ttl: Duration,
    max_body: usize,
    /// None for the default.
    max_recording: Option<usize>,
    max_variants: usize,
    store_timeout: Duration,
    wait: Duration,
    hit_for_miss_ttl: Duration,
    stale_while_disconnected: Duration,
}

impl ResponseCacheBuilder {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            clock: Arc::new(SystemClock::default()),
            profile: Profile::Safe,
            name: "larder".to_owned(),
            scheme: None,
            query: QueryFilter::All,
            key_fields: Vec::new(),
            targeted: Vec::new(),
            tag_field: HeaderName::from_static("cache-tag"),
            max_near_bytes: 64 * 1024 * 1024,
            near_ttl: Duration::from_secs(10),
            max_body: 2 * 1024 * 1024,
            max_recording: None,
            max_variants: 32,
            store_timeout: Duration::from_millis(150),
            wait: Duration::from_secs(5),
            hit_for_miss_ttl: Duration::from_secs(10),
            stale_while_disconnected: Duration::from_secs(30),
        }
    }

    /// How near to the letter of RFC 9111 the cache stays. Default: [`Profile::Safe`].
    ///
    /// Two profiles on one store share nothing.
    pub fn with_profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// The name in `Cache-Status`. Default: `larder`.
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The scheme of every request, whatever its URI says. Default: that of the URI, or `http` if it
    /// has none.
    ///
    /// Behind a proxy that ends TLS, requests do not say what visitors use: in HTTP/1.1 their URI has
    /// no scheme, in cleartext HTTP/2 it is `http`. The scheme is part of the key, and of the URIs that
    /// a purge and an unsafe request take away. An app that is reached by both schemes, and answers them differently,
    /// takes a layer for each, or names the field that tells them apart with
    /// [`with_key_field`](Self::with_key_field).
    pub fn with_scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = Some(scheme);
        self
    }

    /// Names the parts of a query that select a response. Default: the whole query does, to the byte.
    ///
    /// Any other part of the query of a GET or HEAD is taken out before the cache looks and before the
    /// inner service is asked, and these are put in this order, so that a made-up query makes no new
    /// page. axum's `OriginalUri` shows the same. Names are compared as they are written, with their percent-encoding.
    pub fn with_query_names<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.query = QueryFilter::Only(names.into_iter().map(Into::into).collect());
        self
    }

    /// Names the parts of a query that select no response, such as those that advertisers add. It
    /// takes the place of [`with_query_names`](Self::with_query_names).
    ///
    /// They are taken out of a GET or HEAD before the cache looks and before the inner service is
    /// asked. Names are compared as they are written.
    pub fn with_ignored_query_names<N: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = N>,
    ) -> Self {
        self.query = QueryFilter::Except(names.into_iter().map(Into::into).collect());
        self
    }

    /// Makes a request field part of what selects a response, as if every response had it in
    /// `Vary`. Default: none; the safe profile adds the likes of `X-Forwarded-Host` where a request
    /// has them.
    ///
    /// Name every field that a handler reads and does not name in `Vary`.
    pub fn with_key_field(mut self, name: HeaderName) -> Self {
        self.key_fields.push(name);
        self
    }

    /// Obeys a targeted field, such as `CDN-Cache-Control`, before `Cache-Control` (RFC 9213).
    /// Default: none. Of several that a response has, the one that was named here first counts.
    ///
    /// For a proxy; an app whose fields speak to a CDN in front of it leaves it.
    pub fn with_targeted_field(mut self, name: HeaderName) -> Self {
        self.targeted.push(name);
        self
    }

    /// The response field that names tags, separated by commas or spaces. Default: `Cache-Tag`.
    ///
    /// It is sent on to clients. A response with more than 64 tags is not stored.
    pub fn with_tag_field(mut self, name: HeaderName) -> Self {
        self.tag_field = name;
        self
    }

    /// How much this process holds, in bytes. Default: 64 MiB.
    ///
    /// A response heavier than a sixteenth of it is in the store alone.
    pub fn with_max_near_bytes(mut self, bytes: usize) -> Self {
        self.max_near_bytes = bytes;
        self
    }

    /// How long a response stays in this process before the store is asked whether it is still
    /// there: how stale this process can be after another one has purged it. Default: 10 s.
    pub fn with_near_ttl(mut self, ttl: Duration) -> Self {
        self.near_ttl = ttl;
        self
    }

    /// The largest body that is stored, in bytes. Default: 2 MiB.
    ///
    /// A larger one streams on; what was held of it is let go.
    pub fn with_max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// How many bytes of bodies are held at once, over all responses that are being stored, with what
    /// their clients have not read of them. Default: 64 MiB, or one body of the largest size if that
    /// is more.
    ///
    /// Past it a response streams at its client's pace and is not stored;
    /// `larder_response_cache_recordings_refused_total` counts those.
    pub fn with_max_recording(mut self, bytes: usize) -> Self {
        self.max_recording = Some(bytes);
        self
    }

    /// How many variants of a URI are stored. Default: 32. One more takes the place of the oldest.
    pub fn with_max_variants(mut self, variants: usize) -> Self {
        self.max_variants = variants;
        self
    }

    /// How long the store may take for an answer. Default: 150 ms, a little more than larder's own
    /// stores allow themselves, so that their error, which says more, comes first.
    pub fn with_store_timeout(mut self, deadline: Duration) -> Self {
        self.store_timeout = deadline;
        self
    }

    /// How long a request waits for others that fetch the same response, all in all. Default: 5 s.
    ///
    /// Then it asks for itself, and so do all who have waited so long. A response that is stored
    /// meanwhile is served at once, whoever fetched it.
    pub fn with_wait_timeout(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// How long a URI whose response could not be stored is remembered, so that nobody waits for
    /// another one's fetch of it. Default: 10 s.
    pub fn with_hit_for_miss_ttl(mut self, time: Duration) -> Self {
        self.hit_for_miss_ttl = time;
        self
    }

    /// For how long past its freshness a response may be served while the inner service gives
    /// errors instead of responses, where the response does not forbid it (RFC 9111, 4.2.4).
    /// Default: 30 s. `Duration::ZERO` leaves it to `stale-if-error`.
    ///
    /// For so long a response stays in the store at least, where it says nothing longer.
    pub fn with_stale_while_disconnected(mut self, time: Duration) -> Self {
        self.stale_while_disconnected = time;
        self
    }

    /// The clock that ages are measured by, for tests. Default: the system's.
    ///
    /// It must show the time of day. The deadlines of waits are tokio's.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The layer. Its metrics go to the recorder that is installed now.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] where the name is no token, there are too many key fields, or a
    /// deadline or a cap is zero.
    pub fn build(self) -> Result<ResponseCacheLayer> {
        let wrong = if !is_name(&self.name) {
            "its name must be a token of at most 64 characters that begins with a letter"
        } else if self.key_fields.len() > MAX_SELECTING_FIELDS / 2 {
            "it takes at most 8 key fields"
        } else if self.max_variants == 0 || self.max_body == 0 || self.max_recording == Some(0) {
            "a cap must not be zero"
        } else if self.max_recording.is_some_and(|most| most < self.max_body) {
            "with_max_recording must be at least with_max_body: no body of that size could be stored"
        } else if self.store_timeout.is_zero() || self.wait.is_zero() {
            "a deadline must not be zero"
        } else {
            return Ok(self.unchecked());
        };
        let detail = format!("response cache: {wrong}");
        Err(Error::new("build", ErrorKind::Invalid, detail))
    }

    pub(crate) fn unchecked(self) -> ResponseCacheLayer {
        let metrics = Arc::new(Metrics::new());
        let policy = ResponsePolicy {
            profile: self.profile,
            targeted: self.targeted.into(),
            tag_field: Some(self.tag_field.clone()),
        };
        let storage = Storage {
            front: Front::new(self.max_near_bytes),
            far: Far::new(
                self.store,
                self.store_timeout,
                metrics.clone(),
                policy.clone(),
            ),
            clock: self.clock,
            metrics: metrics.clone(),
            near_ttl: self.near_ttl,
            stale_while_disconnected: self.stale_while_disconnected,
            max_variants: self.max_variants,
            tag_field: self.tag_field,
            begun: AtomicI64::new(0),
        };
        ResponseCacheLayer::from_shared(CacheState {
            storage,
            flights: Arc::new(Flights::new()),
            hit_for_miss: HitForMiss::new(self.hit_for_miss_ttl),
            metrics,
            policy,
            name: self.name.into(),
            scheme: self.scheme.map(|scheme| scheme.as_str().into()),
            query: self.query,
            key_fields: self.key_fields.into(),
            max_body: self.max_body,
            recordings: Arc::new(RecordingLimit::new(
                self.max_recording
                    .unwrap_or(MAX_RECORDING.max(self.max_body)),
            )),
            wait: self.wait,
            stale_while_disconnected: self.stale_while_disconnected,
        })
    }
}

impl std::fmt::Debug for ResponseCacheBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseCacheBuilder")
            .field("store", &self.store.location())
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}
