use std::task::Poll;

use bytes::Bytes;
use larder_store::{Content, Entry, Error, ErrorKind, Key, Refusal, Result, Store, Ttl, Version};
use tokio::task::yield_now;

use super::{BrokenStore, Fault};
use crate::contract::model::deadline;

const SECOND: Ttl = Ttl::from_secs(1);
const MINUTE: Ttl = Ttl::from_secs(60);

impl BrokenStore {
    pub(super) async fn broken_get(&self, key: &Key) -> Result<Option<Entry>> {
        let key = &self.key(key);
        match self.fault {
            Some(Fault::ReadsRecordKeys) if key.kind().content() == Content::Record => {
                return Ok(None);
            }
            Some(Fault::ExpiredIsRead) => {
                if let Some(entry) = self.ended(key) {
                    return Ok(Some(entry));
                }
            }
            Some(Fault::OldEndTakesTheNew) => self.end_with_the_old(key),
            Some(Fault::AnswersLinger) => return self.get_beside_the_last(key).await,
            _ => {}
        }
        let held = self.model.get(key).await?;
        Ok(match (self.fault, held) {
            (Some(Fault::MissIsEmpty), None) => Some(Entry {
                value: Bytes::new(),
                version: Version::random(),
            }),
            (Some(Fault::MissIsAnError), None) => return Err(unavailable()),
            (Some(Fault::CachesReads), Some(entry)) => {
                let mut memory = self.memory.lock();
                let first = memory.answers.entry(key.as_str().to_owned());
                Some(first.or_insert(entry).clone())
            }
            (Some(Fault::GetConsumes), Some(entry)) => {
                self.model.with_slot(key, |slot, _| *slot = None);
                Some(entry)
            }
            (Some(Fault::GetExtends), Some(entry)) => {
                self.edit(key, |held, now| held.deadline = deadline(now, MINUTE));
                Some(entry)
            }
            (Some(Fault::GetShortensTtl), Some(entry)) => {
                self.edit(key, |held, now| {
                    held.deadline = held.deadline.min(deadline(now, SECOND));
                });
                Some(entry)
            }
            (_, held) => held,
        })
    }

    pub(super) fn broken_get_now(&self, key: &Key) -> Poll<Result<Option<Entry>>> {
        match self.fault {
            Some(Fault::GetNowMisses) => Poll::Ready(Ok(None)),
            Some(Fault::GetNowReadsExpired) => {
                // First, because a look for the value would free the expired one.
                let ended = self.ended(key);
                Poll::Ready(Ok(ended.or_else(|| self.held(key))))
            }
            _ => Poll::Pending,
        }
        .map(|missed| key.require(Content::Value, "get").and(missed))
    }

    pub(super) async fn broken_ttl(&self, key: &Key) -> Result<Option<Ttl>> {
        let key = &self.key(key);
        match self.fault {
            Some(Fault::ReadsRecordKeys) if key.kind().content() == Content::Record => {
                return Ok(None);
            }
            Some(Fault::ExpiredHasTtl) if self.ended(key).is_some() => {
                return Ok(Some(Ttl::from_millis(1)));
            }
            _ => {}
        }
        let left = self.model.ttl(key).await?;
        Ok(left.map(|left| match self.fault {
            Some(Fault::TtlReadsMore) => Ttl::covering_micros(left.as_micros() + 1),
            Some(Fault::TtlRoundsDown) => self.model.with_slot(key, |slot, now| {
                let end = slot.as_ref().map_or(now, |held| held.deadline);
                let micros = end.as_micros() - now.as_micros();
                Ttl::covering_micros((micros - 999).max(1))
            }),
            Some(Fault::TtlReadsInSeconds) => Ttl::from_secs(left.as_millis().div_ceil(1000)),
            _ => left,
        }))
    }

    /// Returns the answer of a dropped get if there is one, and otherwise the value of `key`.
    async fn get_beside_the_last(&self, key: &Key) -> Result<Option<Entry>> {
        let held = self.model.get(key).await?;
        if let Some(lingering) = self.memory.lock().lingering.take() {
            return Ok(Some(lingering));
        }
        self.memory.lock().lingering = held;
        yield_now().await;
        Ok(self.memory.lock().lingering.take())
    }

    fn end_with_the_old(&self, key: &Key) {
        let end = self.memory.lock().old_ends.get(key.as_str()).copied();
        self.model.with_slot(key, |slot, now| {
            if end.is_some_and(|end| end <= now) {
                *slot = None;
            }
        });
    }
}

fn unavailable() -> Error {
    let kind = ErrorKind::Refused(Refusal::Unavailable);
    Error::new("get", kind, "no such key")
}
