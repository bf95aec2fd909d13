/// How one call reads the cache: what it skips, and what it accepts.
///
/// ```
/// use larder_cache::ReadOptions;
///
/// // An editor who has asked for a reload, and is shown the cached page if that fails.
/// let reload = ReadOptions::new().force_fresh().fall_back_to_cached();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct ReadOptions {
    pub(crate) skips_near: bool,
    pub(crate) skips_far: bool,
    pub(crate) allows_stale: bool,
    pub(crate) forces_fresh: bool,
    pub(crate) falls_back: bool,
}

impl ReadOptions {
    /// Makes the options of a usual read: near, then far, only fresh values.
    pub const fn new() -> Self {
        Self {
            skips_near: false,
            skips_far: false,
            allows_stale: false,
            forces_fresh: false,
            falls_back: false,
        }
    }

    /// Neither reads nor fills the near tier.
    pub const fn skip_near(mut self) -> Self {
        self.skips_near = true;
        self
    }

    /// Neither reads nor fills the far store, and takes no lease.
    ///
    /// If the loader finds nothing, the far value is removed nevertheless, in the background.
    pub const fn skip_far(mut self) -> Self {
        self.skips_far = true;
        self
    }

    /// Accepts a value that is no longer fresh, within
    /// [`with_stale_if_error`](crate::CacheBuilder::with_stale_if_error).
    ///
    /// A call with a loader then begins a refresh in the background.
    pub const fn allow_stale(mut self) -> Self {
        self.allows_stale = true;
        self
    }

    /// Accepts only a value whose load begins after this call.
    ///
    /// The value replaces the cached one. A call without a loader finds nothing.
    pub const fn force_fresh(mut self) -> Self {
        self.forces_fresh = true;
        self
    }

    /// Accepts the cached value, fresh or stale, if a forced load fails. One more round trip,
    /// unless it is near.
    pub const fn fall_back_to_cached(mut self) -> Self {
        self.falls_back = true;
        self
    }
}
