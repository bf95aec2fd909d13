use bytes::Bytes;
use larder_store::{
    Condition, DEFAULT_MAX_VALUE, Delete, Key, Kind, Put, Record, Space, Ttl, Version,
};
use larder_test::records::{Add, Append, Journal, Mark, Tally};

use super::step::Step;

/// Whether anything ends while a sequence runs.
#[derive(Clone, Copy, Debug)]
pub enum Time {
    /// TTLs are short, and time is moved past and onto their ends.
    Passes,
    /// TTLs are long, and no time is let pass.
    StandsStill,
}

impl Time {
    /// By how many milliseconds less than the model a store may say that a key still lives.
    pub(crate) fn slack(self) -> u64 {
        match self {
            Self::Passes => 0,
            Self::StandsStill => 300_000,
        }
    }
}

/// One operation, as it is drawn and printed.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Advance(i64),
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
}

/// Which key: one of a few, or now and then one of a record, where it should not be.
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

/// The versions of all puts so far.
pub(crate) struct Remembered {
    kind: Kind,
    versions: Vec<(Id, Version)>,
}

impl Remembered {
    pub(crate) fn new(space: Space) -> Self {
        let kind = match space {
            Space::Pinned => Kind::pinned("model"),
            Space::Evictable => Kind::evictable("model"),
        };
        Self {
            kind,
            versions: Vec::new(),
        }
    }

    fn key(&self, id: Id) -> Key {
        match id {
            Id::Value(id) => Key::new(self.kind, id),
            Id::Record(id) => tally(id),
        }
    }

    fn condition(&self, id: Id, when: When) -> Condition {
        match when {
            When::Always => Condition::Always,
            When::IfAbsent => Condition::IfAbsent,
            When::IfPresent => Condition::IfPresent,
            When::IfVersion(back) => {
                let mut of_key = self.versions.iter().rev().filter(|(of, _)| *of == id);
                let version = of_key.nth(back).map(|(_, version)| *version);
                Condition::IfVersion(version.unwrap_or(Version::from_bytes([7; Version::LEN])))
            }
        }
    }

    fn put(&mut self, write: &Write) -> Put {
        let value = match &write.value {
            Content::Bytes(bytes) => Bytes::copy_from_slice(bytes),
            Content::TooLarge => vec![0; DEFAULT_MAX_VALUE + 1].into(),
        };
        let condition = self.condition(write.id, write.when);
        let put = Put::new(self.key(write.id), value, write.ttl).on(condition);
        self.versions.push((write.id, put.version()));
        put
    }

    fn delete(&self, id: Id, when: When) -> Delete {
        Delete::new(self.key(id)).on(self.condition(id, when))
    }
}

impl Operation {
    /// What it comes to on a store, after what was done before: nothing, for a lapse of time.
    pub(crate) fn step(&self, remembered: &mut Remembered) -> Option<Step> {
        Some(match self {
            Self::Advance(_) => return None,
            Self::Get(id) => Step::Get(remembered.key(*id)),
            Self::GetNow(id) => Step::GetNow(remembered.key(*id)),
            Self::Put(write) => Step::Put(remembered.put(write)),
            Self::PutNow(write) => Step::PutNow(remembered.put(write)),
            Self::Delete(id, when) => Step::Delete(remembered.delete(*id, *when)),
            Self::DeleteNow(id, when) => Step::DeleteNow(remembered.delete(*id, *when)),
            Self::Expire(id, ttl) => Step::Expire(remembered.key(*id), *ttl),
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
            Self::Add(id, add) => Step::Add(tally(*id), *add),
            Self::AddMany(adds) => {
                Step::AddMany(adds.iter().map(|(id, add)| (tally(*id), *add)).collect())
            }
            Self::ReadTally(id) => Step::ReadTally(tally(*id)),
            Self::ClearTally(id) => Step::ClearTally(tally(*id)),
            Self::InspectTally(id) => Step::InspectTally(tally(*id)),
            Self::Mark(id, ttl) => Step::Mark(tally(*id), Mark { ttl: *ttl }),
            Self::Append(id, line, ttl) => {
                let (line, ttl) = (Bytes::copy_from_slice(line), *ttl);
                Step::Append(journal(*id), Append { line, ttl })
            }
            Self::ReadJournal(id) => Step::ReadJournal(journal(*id)),
            Self::ClearJournal(id) => Step::ClearJournal(journal(*id)),
        })
    }
}

fn tally(id: u8) -> Key {
    Key::new(Tally::KIND, id)
}

fn journal(id: u8) -> Key {
    Key::new(Journal::KIND, id)
}
