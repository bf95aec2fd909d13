use std::time::Duration;

use larder_store::Ttl;
use larder_store::lease::Claim;

use super::fences::Shown;
use super::step::LeaseStep;
use crate::model::arguments::{Id, Write};
use crate::model::remembered::Remembered;

/// One operation on leases, as it is drawn and printed.
#[derive(Clone, Debug)]
pub(crate) enum LeaseOperation {
    /// The last is the version that has been seen: that of an earlier put, counted back from the last.
    Claim(Id, Ttl, Option<usize>),
    Commit(Write, Shown),
    Renew(Id, Shown, Ttl),
    Abandon(Id, Shown),
    Invalidate(Id),
    InvalidateMany(Vec<Id>),
    /// Follows for this many milliseconds.
    Follow(Id, u64),
}

impl LeaseOperation {
    /// Returns the key that it is about, if it is one.
    pub(crate) fn id(&self) -> Option<Id> {
        match self {
            Self::Commit(write, _) => Some(write.id),
            Self::Claim(id, ..)
            | Self::Renew(id, ..)
            | Self::Abandon(id, _)
            | Self::Invalidate(id)
            | Self::Follow(id, _) => Some(*id),
            Self::InvalidateMany(_) => None,
        }
    }

    pub(crate) fn step(&self, remembered: &mut Remembered) -> LeaseStep {
        match self {
            Self::Claim(id, hold, seen) => {
                remembered.ends_in(*id, *hold);
                let claim = Claim::new(remembered.key(*id), *hold);
                let claim = match seen {
                    Some(back) => claim.having_seen(remembered.version(*id, *back)),
                    None => claim,
                };
                LeaseStep::Claim(*id, claim)
            }
            Self::Commit(write, shown) => {
                let fence = remembered.fences.shown(write.id, *shown);
                LeaseStep::Commit(remembered.put(write), fence)
            }
            Self::Renew(id, shown, hold) => {
                remembered.ends_in(*id, *hold);
                let fence = remembered.fences.shown(*id, *shown);
                LeaseStep::Renew(remembered.key(*id), fence, *hold)
            }
            Self::Abandon(id, shown) => {
                let fence = remembered.fences.shown(*id, *shown);
                LeaseStep::Abandon(remembered.key(*id), fence)
            }
            Self::Invalidate(id) => LeaseStep::Invalidate(remembered.key(*id)),
            Self::InvalidateMany(ids) => {
                LeaseStep::InvalidateMany(ids.iter().map(|id| remembered.key(*id)).collect())
            }
            Self::Follow(id, millis) => {
                LeaseStep::Follow(remembered.key(*id), Duration::from_millis(*millis))
            }
        }
    }
}
