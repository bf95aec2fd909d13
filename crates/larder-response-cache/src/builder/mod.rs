mod build;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use http::uri::Scheme;
use larder_store::{Clock, Store, SystemClock};

use crate::engine::Profile;
use crate::policy::ResponsePolicy;
use crate::request::QueryFilter;

/// Builds a [`ResponseCacheLayer`](crate::ResponseCacheLayer). Its
/// [`builder`](crate::ResponseCacheLayer::builder) makes one.
#[must_use]
pub struct ResponseCacheBuilder {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    policy: ResponsePolicy,
    name: String,
    scheme: Option<Scheme>,
    query: QueryFilter,
    key_fields: Vec<HeaderName>,
    max_near_bytes: usize,
    near_ttl: Duration,
    max_body: usize,
    /// None for the default.
    max_recording: Option<usize>,
    max_variants: usize,
    store_timeout: Duration,
    wait_timeout: Duration,
    hit_for_miss_ttl: Duration,
    stale_while_disconnected: Duration,
}

impl ResponseCacheBuilder {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            clock: Arc::new(SystemClock::default()),
            policy: ResponsePolicy::default(),
            name: "larder".to_owned(),
            scheme: None,
            query: QueryFilter::All,
            key_fields: Vec::new(),
            max_near_bytes: 64 * 1024 * 1024,
            near_ttl: Duration::from_secs(10),
            max_body: 2 * 1024 * 1024,
            max_recording: None,
            max_variants: 32,
            store_timeout: Duration::from_millis(150),
            wait_timeout: Duration::from_secs(5),
            hit_for_miss_ttl: Duration::from_secs(10),
            stale_while_disconnected: Duration::from_secs(30),
        }
    }

    /// Sets how closely the cache follows RFC 9111. Default: [`Profile::Safe`].
    ///
    /// Layers with different profiles on one store share no responses.
    pub fn with_profile(mut self, profile: Profile) -> Self {
        self.policy.profile = profile;
        self
    }

    /// Sets the name of the cache in `Cache-Status`. Default: `larder`.
    ///
    /// It must be a token that begins with a letter or `*`, of at most 64 characters. Any other name is
    /// refused by [`build`](Self::build).
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Declares the scheme of every request. Default: the scheme of the URI, or `http` if it has none.
    ///
    /// Behind a proxy that terminates TLS, requests do not carry the scheme that visitors use. In HTTP/1.1
    /// their URI has none, and in cleartext HTTP/2 it is `http`. The scheme is part of the key, and of the
    /// URIs that a purge or an unsafe request removes.
    ///
    /// If your app answers differently by scheme, use one layer for each scheme, or name the header that
    /// tells them apart with [`with_key_field`](Self::with_key_field).
    pub fn with_scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = Some(scheme);
        self
    }

    /// Names the query parameters that select a response. Default: the whole query, byte for byte.
    ///
    /// All others are removed from a GET or HEAD before the lookup, and before the inner service is called.
    /// The named ones are put in this order. So a made-up parameter creates no new stored page, and axum's
    /// `OriginalUri` does not show it either. Names are compared as they are written, percent-encoded.
    pub fn with_query_names<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.query = QueryFilter::Only(names.into_iter().map(Into::into).collect());
        self
    }

    /// Names the query parameters that do not select a response, such as those of advertisers.
    ///
    /// They are removed from a GET or HEAD before the lookup, and before the inner service is called. Names
    /// are compared as they are written. This replaces [`with_query_names`](Self::with_query_names).
    pub fn with_ignored_query_names<N: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = N>,
    ) -> Self {
        self.query = QueryFilter::Except(names.into_iter().map(Into::into).collect());
        self
    }

    /// Adds a request header to the key, as if every response had it in `Vary`. Default: none.
    ///
    /// Name every header that a handler reads and does not name in `Vary`. The safe profile adds
    /// `X-Forwarded-Host` and similar headers if a request has them. [`build`](Self::build) refuses more
    /// than 8.
    pub fn with_key_field(mut self, name: HeaderName) -> Self {
        self.key_fields.push(name);
        self
    }

    /// Adds a field that takes precedence over `Cache-Control`, such as `CDN-Cache-Control` (RFC 9213).
    ///
    /// Default: none. If a response has several of them, the one that was added first counts. Use it for a
    /// proxy, but not in an app whose headers are meant for a CDN in front of it.
    pub fn with_targeted_field(mut self, name: HeaderName) -> Self {
        self.policy.targeted.push(name);
        self
    }

    /// Sets the response header that names tags, separated by commas or spaces. Default: `Cache-Tag`.
    ///
    /// Clients see it. A response with more than 64 tags, or with one that is longer than 256 bytes or not
    /// ASCII, is not stored.
    pub fn with_tag_field(mut self, name: HeaderName) -> Self {
        self.policy.tag_field = name;
        self
    }

    /// Sets the maximum bytes of responses that this process keeps. Default: 64 MiB.
    ///
    /// A response of up to a twentieth of that fits. A larger one may be kept only in the store.
    pub fn with_max_near_bytes(mut self, bytes: usize) -> Self {
        self.max_near_bytes = bytes;
        self
    }

    /// Sets how long this process keeps a response before it reads the store again. Default: 10 s.
    ///
    /// It limits how long this process may serve a response that another process has purged.
    pub fn with_near_ttl(mut self, ttl: Duration) -> Self {
        self.near_ttl = ttl;
        self
    }

    /// Sets the largest body that is stored, in bytes. Default: 2 MiB.
    ///
    /// A larger one is streamed, and not stored. Zero is refused by [`build`](Self::build).
    pub fn with_max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets the maximum bytes of bodies held in memory, for all responses that are being stored together.
    ///
    /// Default: 64 MiB, or the size of the largest body if that is more. Bytes that clients have not read
    /// yet count too. Past the limit a response streams at its client's pace, and is not stored;
    /// `larder_response_cache_recordings_refused_total` counts those. [`build`](Self::build) refuses less
    /// than one body of the largest size.
    pub fn with_max_recording(mut self, bytes: usize) -> Self {
        self.max_recording = Some(bytes);
        self
    }

    /// Sets how many variants of a URI are stored. Default: 32.
    ///
    /// A further variant replaces the oldest. Zero is refused by [`build`](Self::build).
    pub fn with_max_variants(mut self, variants: usize) -> Self {
        self.max_variants = variants;
        self
    }

    /// Sets how long the cache waits for the store. Default: 150 ms.
    ///
    /// The default is a little longer than the timeout of larder's own stores, so that their more precise
    /// error comes first. It is clamped to 1 ms to 1 hour.
    pub fn with_store_timeout(mut self, timeout: Duration) -> Self {
        self.store_timeout = timeout;
        self
    }

    /// Sets how long a request waits for other requests that fetch the same response. Default: 5 s.
    ///
    /// This is the limit for the sum of all its waits. After that the request is forwarded, and so is every
    /// other one that has waited as long. A response that is stored meanwhile is served at once. Zero is
    /// refused by [`build`](Self::build), and more than a day is treated as a day.
    pub fn with_wait_timeout(mut self, timeout: Duration) -> Self {
        self.wait_timeout = timeout;
        self
    }

    /// Sets how long the cache remembers that a response could not be stored. Default: 10 s.
    ///
    /// Until then, or until one is stored, no request for it waits for another request's fetch. Proxies call this
    /// hit-for-miss. It is rounded up to whole seconds.
    pub fn with_hit_for_miss_ttl(mut self, ttl: Duration) -> Self {
        self.hit_for_miss_ttl = ttl;
        self
    }

    /// Sets how long past its freshness a response may be served while the inner service returns errors.
    ///
    /// Default: 30 s. An error here is an `Err` of the service, not a response with status 500. A response
    /// can forbid it (RFC 9111, 4.2.4). `Duration::ZERO` leaves it to `stale-if-error`. Responses that permit
    /// it stay in the store for at least this long after they became stale. It is rounded up to whole seconds.
    pub fn with_stale_while_disconnected(mut self, time: Duration) -> Self {
        self.stale_while_disconnected = time;
        self
    }

    /// Sets the clock that measures ages, for tests. Default: the system's.
    ///
    /// It must show the time of day. Timeouts are measured by tokio's clock.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

impl std::fmt::Debug for ResponseCacheBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseCacheBuilder")
            .field("store", &self.store.location())
            .field("profile", &self.policy.profile)
            .finish_non_exhaustive()
    }
}
