use larder_store::Timestamp;

/// The place of the start of a load among the changes of tags that this process sees: see
/// [`Tags::tick`](super::Tags::tick).
///
/// The default is that of a load whose value is not stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    pub(super) number: u64,
    /// The store's time, if it is known without a round trip.
    pub(super) at: Option<Timestamp>,
}

/// The start of a load, which shows whether a change of a tag came before or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadBegin(pub(super) Option<Begin>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Begin {
    pub(super) tick: u64,
    /// By the store's clock: only for a tag whose generation was not known here then.
    pub(super) at: Timestamp,
}

impl LoadBegin {
    /// Returns the start of a load with this [`tick`](super::Tags::tick), which began `at`, by the store's clock.
    ///
    /// `at` may be the fence of the load's lease. A fence is sometimes ahead of the clock; the time of the
    /// tick then counts, if the store knows it.
    pub fn new(tick: Tick, at: Timestamp) -> Self {
        Self(Some(Begin {
            tick: tick.number,
            at: tick.at.map_or(at, |known| known.min(at)),
        }))
    }

    /// Returns the start of a write of the caller's own value: no change so far concerns it.
    pub const fn after_all_changes() -> Self {
        Self(None)
    }
}
