use std::task::Poll;

use bytes::Bytes;
use larder_store::{
    Condition, Content, Delete, DeleteOutcome, Entry, ExpireOutcome, Key, Result, Store, Timestamp,
    Ttl, Version,
};
use tokio::task::yield_now;

use super::{BrokenStore, Fault};
use crate::contract::model::{Held, Stored, deadline};

const DAYS_24: Ttl = Ttl::from_millis(1 << 31);

impl BrokenStore {
    pub(super) async fn broken_delete(&self, delete: &Delete) -> Result<DeleteOutcome> {
        let delete = delete.clone().at(self.key(delete.key()));
        let key = delete.key();
        if self.has(Fault::RemovesRecords) && key.kind().content() == Content::Record {
            self.model.with_slot(key, |slot, _| *slot = None);
        }
        let had_ended = self.ended(key).is_some();
        let held = self.held(key).map(|held| held.version);
        let outcome = match self.fault {
            Some(Fault::DeleteRaces) if delete.condition() == Condition::Always => {
                self.delete_later(delete.clone(), held).await?
            }
            Some(Fault::DeleteIfVersionRaces) if delete.condition() != Condition::Always => {
                self.delete_later(delete.clone(), held).await?
            }
            _ => {
                self.model
                    .delete(&self.wrong_delete(delete.clone()))
                    .await?
            }
        };
        let removed = outcome.is_deleted();
        if let Some(version) = held.filter(|_| removed) {
            let mut memory = self.memory.lock();
            memory.deleted.insert(key.as_str().to_owned(), version);
        }
        Ok(match (self.fault, delete.condition()) {
            (Some(Fault::DeleteAnswersTrue), Condition::Always)
            | (Some(Fault::DeleteIfPresentAnswersTrue), Condition::IfPresent) => {
                DeleteOutcome::Deleted
            }
            (Some(Fault::ExpiredIsDeleted), _) if had_ended => DeleteOutcome::Deleted,
            (Some(Fault::UnmetDeleteMovesVersion), _) if !removed => {
                self.edit(key, |held, _| move_version(held));
                DeleteOutcome::NotDeleted
            }
            _ => outcome,
        })
    }

    pub(super) fn broken_delete_now(&self, delete: &Delete) -> Poll<Result<DeleteOutcome>> {
        match self.fault {
            Some(Fault::DeleteNowIgnoresConditions) => {
                self.model.delete_now(&delete.clone().on(Condition::Always))
            }
            _ => Poll::Pending,
        }
    }

    pub(super) async fn broken_expire(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome> {
        let key = &self.key(key);
        let made = match self.fault {
            Some(Fault::ExpireRevives) => self.ended(key),
            Some(Fault::ExpireMakesKeys) if self.held(key).is_none() => Some(empty()),
            Some(Fault::DeletedCanBeExpired) if self.held(key).is_none() => {
                let memory = self.memory.lock();
                memory.deleted.get(key.as_str()).map(|_| empty())
            }
            _ => None,
        };
        let end = self.model.with_slot(key, |slot, now| {
            if let Some(entry) = made {
                let content = Stored::Value(entry);
                *slot = Some(Held {
                    content,
                    deadline: deadline(now, ttl),
                });
            }
            slot.as_ref().map(|held| held.deadline)
        });
        let outcome = self.model.expire(key, ttl).await?;
        self.edit(key, |held, now| {
            held.deadline = self.wrong_ttl(held, end, ttl, now)
        });
        if self.has(Fault::ExpireMovesVersion) {
            self.edit(key, |held, _| move_version(held));
        }
        Ok(outcome)
    }

    fn wrong_ttl(
        &self,
        held: &Held,
        old: Option<Timestamp>,
        ttl: Ttl,
        now: Timestamp,
    ) -> Timestamp {
        let new = held.deadline;
        match (self.fault, old) {
            (Some(Fault::ExpireOnlyLengthens), Some(old)) => old.max(new),
            (Some(Fault::ExpireOnlyShortens), Some(old)) => old.min(new),
            (Some(Fault::LongTtlOverflows), _) if ttl > DAYS_24 => now,
            _ => new,
        }
    }

    /// Applies the faults that change the condition of a delete.
    fn wrong_delete(&self, delete: Delete) -> Delete {
        match (self.fault, delete.condition()) {
            (Some(Fault::DeleteIfAbsentDeletes), Condition::IfAbsent)
            | (Some(Fault::DeleteIgnoresIfVersion), Condition::IfVersion(_)) => {
                delete.on(Condition::Always)
            }
            _ => delete,
        }
    }

    /// Checks the condition now, waits, and then removes the value.
    async fn delete_later(&self, delete: Delete, held: Option<Version>) -> Result<DeleteOutcome> {
        let met = held.is_some() && delete.condition().is_met_by(held);
        yield_now().await;
        if met {
            let _ = self.model.delete(&delete.on(Condition::Always)).await?;
        }
        Ok(met.into())
    }
}

fn move_version(held: &mut Held) {
    if let Some(entry) = held.entry_mut() {
        entry.version = Version::random();
    }
}

fn empty() -> Entry {
    Entry {
        value: Bytes::new(),
        version: Version::random(),
    }
}
