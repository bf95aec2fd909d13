use bytes::Bytes;
use larder_store::Ttl;
use larder_test::records::{Add, Append, Mark};

use super::arguments::{Id, When, Write, journal, tally};
use super::events::LogOperation;
use super::leases::LeaseOperation;
use super::limits::LimitOperation;
use super::queue::QueueOperation;
use super::remembered::Remembered;
use super::sessions::SessionOperation;
use super::step::Step;

/// One operation, as it is drawn and printed.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// Advances the clock by this many microseconds.
    Advance(i64),
    /// To one of the ends to come, counted back from the last, and this many microseconds past it.
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
    /// At the end of what its key holds, or this many microseconds past it.
    LeaseAtEnd(i64, LeaseOperation),
    Queue(QueueOperation),
    Log(LogOperation),
    Session(SessionOperation),
    Limit(LimitOperation),
    /// All keys with this prefix, in pages of about this many.
    Scan(&'static str, usize),
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
            Self::Queue(operation) => {
                operation.remember(remembered);
                Step::Queue(operation.clone())
            }
            Self::Log(operation) => {
                operation.remember(remembered);
                Step::Log(operation.clone())
            }
            Self::Session(operation) => {
                operation.remember(remembered);
                Step::Session(operation.clone())
            }
            Self::Limit(operation) => {
                operation.remember(remembered);
                Step::Limit(operation.clone())
            }
            Self::Scan(prefix, about) => Step::Scan(prefix, *about),
        })
    }
}
