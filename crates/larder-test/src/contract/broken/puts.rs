use std::task::Poll;

use larder_store::{
    Condition, Content, DEFAULT_MAX_VALUE, Entry, Error, ErrorKind, Put, PutOutcome, Refusal,
    Result, Store, Timestamp, Ttl, Version,
};
use tokio::task::yield_now;

use super::{BrokenStore, Fault};
use crate::contract::model::{Held, deadline};

/// The limit of a store with [`Fault::EndedKeepsItsRoom`]: a little more than a fixture must have room for.
const ROOM: usize = 68 * 1024 * 1024;

/// The content of a key before a put.
pub(super) struct Before {
    pub(super) held: Option<Entry>,
    pub(super) ended: Option<Entry>,
    pub(super) end: Option<Timestamp>,
}

impl BrokenStore {
    pub(super) async fn broken_put(&self, put: &Put) -> Result<PutOutcome> {
        let put = put.clone().at(self.key(put.key()));
        if let Some(answer) = self.wrong_answer(&put).await {
            return answer;
        }
        let before = self.before(&put);
        let put = self
            .raced(self.wrong_condition(put, &before), &before)
            .await;
        let outcome = match self.fault {
            Some(Fault::TornPuts | Fault::TearsWhenCancelled) => self.put_in_halves(&put).await?,
            Some(Fault::CancelledPutKeepsItsLock) => self.put_under_lock(&put).await?,
            _ => self.model.put(&put).await?,
        };
        self.leave_traces(&put, outcome.is_stored(), &before);
        match self.has(Fault::PutAnswersFalse) {
            true => Ok(PutOutcome::NotStored),
            false => Ok(outcome),
        }
    }

    fn before(&self, put: &Put) -> Before {
        self.model.with_raw_slot(put.key(), |slot, now| {
            let (live, end) = match slot {
                Some(held) => (held.deadline > now, Some(held.deadline)),
                None => (false, None),
            };
            let entry = slot.as_ref().and_then(Held::entry).cloned();
            Before {
                held: entry.clone().filter(|_| live),
                ended: entry.filter(|_| !live),
                end: end.filter(|_| live),
            }
        })
    }

    pub(super) fn broken_put_now(&self, put: &Put) -> Poll<Result<PutOutcome>> {
        match self.fault {
            Some(Fault::PutNowIgnoresConditions) => {
                self.model.put_now(&put.clone().on(Condition::Always))
            }
            Some(Fault::PutNowNeverEnds) => {
                let written = self.model.put_now(put);
                self.edit(put.key(), |held, now| {
                    held.deadline = deadline(now, Ttl::MAX);
                });
                written
            }
            _ => Poll::Pending,
        }
    }

    /// Returns the wrong answer of a fault that writes nothing, or another value.
    async fn wrong_answer(&self, put: &Put) -> Option<Result<PutOutcome>> {
        let too_large = put.value().len() > DEFAULT_MAX_VALUE;
        match self.fault? {
            Fault::EndedKeepsItsRoom if self.room_with(put) > ROOM => {
                let kind = ErrorKind::Refused(Refusal::Full);
                Some(Err(Error::new("put", kind, "there is no room for this")))
            }
            Fault::EndedIsNeverFreed => {
                self.room_with(put);
                None
            }
            Fault::WritesRecordKeys if put.key().kind().content() == Content::Record => {
                Some(Ok(PutOutcome::Stored))
            }
            Fault::RefusesOneMillisecond if put.ttl() == Ttl::from_millis(1) => Some(Err(
                Error::new("put", ErrorKind::Invalid, "a TTL is at least 2 ms"),
            )),
            Fault::CutsWhatIsTooLarge if too_large => {
                let cut = put.value().slice(..DEFAULT_MAX_VALUE);
                Some(
                    self.model
                        .put(&Put::new(put.key().clone(), cut, put.ttl()))
                        .await,
                )
            }
            Fault::TooLargeRemovesTheOld if too_large => {
                self.model.with_slot(put.key(), |slot, _| *slot = None);
                None
            }
            Fault::TooLargeIsFull if too_large => {
                let kind = ErrorKind::Refused(Refusal::Full);
                Some(Err(Error::new("put", kind, "there is no room for this")))
            }
            Fault::LosesEveryFourthIfVersion
                if put.condition() == Condition::IfVersion(self.version(put))
                    && self.count().is_multiple_of(4) =>
            {
                Some(Ok(PutOutcome::Stored))
            }
            _ => None,
        }
    }

    /// Returns the bytes of all values that were ever put, including this one.
    fn room_with(&self, put: &Put) -> usize {
        let mut memory = self.memory.lock();
        let (key, length) = (put.key().as_str().to_owned(), put.value().len());
        memory.room.insert(key, length);
        memory.room.values().sum()
    }

    /// Applies the faults that change the condition of a put.
    fn wrong_condition(&self, put: Put, before: &Before) -> Put {
        let condition = put.condition();
        let Before { held, ended, .. } = before;
        let met_after_all = match (self.fault, condition) {
            (Some(Fault::IgnoresIfAbsent), Condition::IfAbsent)
            | (Some(Fault::IgnoresIfPresent), Condition::IfPresent) => true,
            (Some(Fault::IgnoresIfVersion), Condition::IfVersion(_)) => held.is_some(),
            (Some(Fault::AbsentMeetsIfVersion), Condition::IfVersion(_)) => held.is_none(),
            (Some(Fault::IfVersionOfAnyKey), Condition::IfVersion(version)) => {
                let memory = self.memory.lock();
                let key = memory.written.get(&version);
                key.is_some_and(|key| key != put.key().as_str())
            }
            (Some(Fault::ExpiredMeetsIfPresent), Condition::IfPresent) => ended.is_some(),
            (Some(Fault::ExpiredMeetsIfVersion), Condition::IfVersion(version)) => {
                ended.as_ref().is_some_and(|ended| ended.version == version)
            }
            _ => false,
        };
        let unmet_after_all = match (self.fault, condition) {
            (Some(Fault::ExpiredBlocksIfAbsent), Condition::IfAbsent) => ended.is_some(),
            (Some(Fault::DeletedBlocksIfAbsent), Condition::IfAbsent) => {
                self.memory.lock().deleted.contains_key(put.key().as_str())
            }
            _ => false,
        };
        match (met_after_all, unmet_after_all) {
            (true, _) => put.on(Condition::Always),
            (_, true) => put.on(Condition::IfVersion(Version::random())),
            _ => put,
        }
    }

    /// Returns the version of the put's key, or a random one.
    fn version(&self, put: &Put) -> Version {
        let held = self.held(put.key());
        held.map_or_else(Version::random, |held| held.version)
    }

    /// Applies the faults that check the condition, wait, and then write whatever has happened meanwhile.
    async fn raced(&self, put: Put, before: &Before) -> Put {
        let races = match (self.fault, put.condition()) {
            (Some(Fault::IfAbsentRaces), Condition::IfAbsent) => before.ended.is_none(),
            (Some(Fault::TakeoverRaces), Condition::IfAbsent) => before.ended.is_some(),
            (Some(Fault::IfVersionRaces), Condition::IfVersion(_)) => true,
            _ => false,
        };
        if !races {
            return put;
        }
        let held = before.held.as_ref().map(|held| held.version);
        let condition = match put.condition().is_met_by(held) {
            true => Condition::Always,
            false => Condition::IfVersion(Version::random()),
        };
        yield_now().await;
        put.on(condition)
    }

    async fn put_under_lock(&self, put: &Put) -> Result<PutOutcome> {
        if let Ok(permit) = self.lock.acquire().await {
            permit.forget();
        }
        yield_now().await;
        let outcome = self.model.put(put).await;
        self.lock.add_permits(1);
        outcome
    }

    async fn put_in_halves(&self, put: &Put) -> Result<PutOutcome> {
        if !self.model.put(put).await?.is_stored() {
            return Ok(PutOutcome::NotStored);
        }
        let torn = CutOnDrop { store: self, put };
        if self.has(Fault::TornPuts) {
            torn.cut(put.value().len() / 2);
        }
        yield_now().await;
        torn.cut(put.value().len());
        std::mem::forget(torn);
        Ok(PutOutcome::Stored)
    }
}

/// When dropped, cuts the stored value in half.
struct CutOnDrop<'a> {
    store: &'a BrokenStore,
    put: &'a Put,
}

impl CutOnDrop<'_> {
    fn cut(&self, length: usize) {
        self.store.edit(self.put.key(), |held, _| {
            let entry = held.entry_mut();
            if let Some(entry) = entry.filter(|entry| entry.version == self.put.version()) {
                entry.value = self.put.value().slice(..length);
            }
        });
    }
}

impl Drop for CutOnDrop<'_> {
    fn drop(&mut self) {
        self.cut(self.put.value().len() / 2);
    }
}
