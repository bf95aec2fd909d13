use larder_store::Ttl;

/// The longest time that a sequence takes, in milliseconds.
const SLACK: u64 = 300_000;

/// The things that expire while a sequence runs.
#[derive(Clone, Copy, Debug)]
pub enum Time {
    /// Everything: TTLs are short, and time is moved past and onto their ends.
    Passes,
    /// Leases and records. Values live long, by a clock that nobody moves.
    PassesBesideValues,
    /// Nothing: TTLs are long, and no time is let pass.
    StandsStill,
}

impl Time {
    /// Returns whether the store may report this TTL if the model reports `expected`.
    ///
    /// It may be less by the time that a server has seen pass, or more by the time that only the
    /// model has.
    pub(crate) fn allows(self, told: Ttl, expected: Ttl) -> bool {
        let (told, expected) = (told.as_millis(), expected.as_millis());
        match self {
            Self::Passes => told == expected,
            Self::PassesBesideValues => told.abs_diff(expected) <= SLACK,
            Self::StandsStill => told <= expected && expected - told <= SLACK,
        }
    }

    /// Returns whether the store reads the clock of the model, for its leases at least.
    pub(crate) fn is_shared(self) -> bool {
        match self {
            Self::Passes | Self::PassesBesideValues => true,
            Self::StandsStill => false,
        }
    }
}
