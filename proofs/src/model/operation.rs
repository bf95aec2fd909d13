use bytes::Bytes;
use larder_store::program::Record;
use larder_store::{Key, Ttl};
use larder_test::records::{Add, Append, Journal, Mark, Tally};

use super::leases::LeaseOperation;
use super::remembered::Remembered;
use super::step::Step;

/// In milliseconds: no sequence takes longer.
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

/// One operation, as it is drawn and printed.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// Advances the clock by this many microseconds.
    Advance(i64),
    /// To the so-manieth last of the ends to come, and so many microseconds past it.
    AdvanceToEnd(usize, i64),
    Get(Id),
    GetNow(Id),
    Put(Write),
    PutNow(Write),
    Delete(Id, When),
    DeleteNow(Id, When),
    Expire(Id, Ttl),
    TtlOf(Id),
    GetMany(Vec<Id>),
    PutMany(Vec<Write>),
    DeleteMany(Vec<(Id, When)>),
    Add(u8, Add),
    AddMany(Vec<(u8, Add)>),
    ReadTally(u8),
    ClearTally(u8),
    InspectTally(u8),
    Mark(u8, Ttl),
    Append(u8, Vec<u8>, Ttl),
    ReadJournal(u8),
    ClearJournal(u8),
    Lease(LeaseOperation),
    /// At the end of what its key holds, or so many microseconds past it.
    LeaseAtEnd(i64, LeaseOperation),
    /// All keys with this prefix, in pages of about so many.
    Scan(&'static str, usize),
}

/// The key of an operation: one of a few, or sometimes a wrong one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Id {
    Value(u8),
    Record(u8),
}

/// A condition; a version is the one of the so-manieth last put on the same key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    Always,
    IfAbsent,
    IfPresent,
    IfVersion(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) id: Id,
    pub(crate) value: Content,
    pub(crate) ttl: Ttl,
    pub(crate) when: When,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Bytes(Vec<u8>),
    TooLarge,
}

impl Operation {
    /// Resolves the operation to a step on a store. None if only time passes.
    pub(crate) fn step(&self, remembered: &mut Remembered) -> Option<Step> {
        Some(match self {
            Self::Advance(_) | Self::AdvanceToEnd(..) => return None,
            Self::Get(id) => Step::Get(remembered.key(*id)),
            Self::GetNow(id) => Step::GetNow(remembered.key(*id)),
            Self::Put(write) => Step::Put(remembered.put(write)),
            Self::PutNow(write) => Step::PutNow(remembered.put(write)),
            Self::Delete(id, when) => Step::Delete(remembered.delete(*id, *when)),
            Self::DeleteNow(id, when) => Step::DeleteNow(remembered.delete(*id, *when)),
            Self::Expire(id, ttl) => {
                remembered.ends_in(*id, *ttl);
                Step::Expire(remembered.key(*id), *ttl)
            }
            Self::TtlOf(id) => Step::TtlOf(remembered.key(*id)),
            Self::GetMany(ids) => Step::GetMany(ids.iter().map(|id| remembered.key(*id)).collect()),
            Self::PutMany(writes) => {
                Step::PutMany(writes.iter().map(|write| remembered.put(write)).collect())
            }
            Self::DeleteMany(deletes) => {
                let deletes = deletes.iter();
                Step::DeleteMany(
                    deletes
                        .map(|(id, when)| remembered.delete(*id, *when))
                        .collect(),
                )
            }
            Self::Add(id, add) => {
                remembered.ends_in(Id::Record(*id), add.ttl);
                Step::Add(tally(*id), *add)
            }
            Self::AddMany(adds) => {
                Step::AddMany(adds.iter().map(|(id, add)| (tally(*id), *add)).collect())
            }
            Self::ReadTally(id) => Step::ReadTally(tally(*id)),
            Self::ClearTally(id) => Step::ClearTally(tally(*id)),
            Self::InspectTally(id) => Step::InspectTally(tally(*id)),
            Self::Mark(id, ttl) => Step::Mark(tally(*id), Mark { ttl: *ttl }),
            Self::Append(id, line, ttl) => {
                let (line, ttl) = (Bytes::copy_from_slice(line), *ttl);
                remembered.ends_in(Id::Record(*id), ttl);
                Step::Append(journal(*id), Append { line, ttl })
            }
            Self::ReadJournal(id) => Step::ReadJournal(journal(*id)),
            Self::ClearJournal(id) => Step::ClearJournal(journal(*id)),
            Self::Lease(operation) | Self::LeaseAtEnd(_, operation) => {
                Step::Lease(operation.step(remembered))
            }
            Self::Scan(prefix, about) => Step::Scan(prefix, *about),
        })
    }
}

pub(super) fn tally(id: u8) -> Key {
    Key::new(Tally::KIND, id)
}

fn journal(id: u8) -> Key {
    Key::new(Journal::KIND, id)
}
