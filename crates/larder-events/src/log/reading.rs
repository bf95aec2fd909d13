use larder_store::{Key, KeyId, Result};
use serde::de::DeserializeOwned;

use super::reads::{ReadDead, ReadRange};
use super::{DeadLetter, EventId, EventLog, Page, names};

impl<T: DeserializeOwned> EventLog<T> {
    /// Returns the first `many` events after an id, at most [`MAX_BATCH`](super::MAX_BATCH). One round trip.
    ///
    /// Begin with [`EventId::ZERO`] or [`EventId::before_millis`], and continue with [`Page::next`]: a page has at most
    /// a megabyte of events.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) for too many.
    pub async fn read(&self, id: impl KeyId, after: EventId, many: usize) -> Result<Page<T>> {
        self.read_range(self.key(id), after, None, many).await
    }

    /// Returns the first `many` events after one id and up to another. One round trip.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub async fn read_until(
        &self,
        id: impl KeyId,
        after: EventId,
        until: EventId,
        many: usize,
    ) -> Result<Page<T>> {
        self.read_range(self.key(id), after, Some(until), many)
            .await
    }

    async fn read_range(
        &self,
        key: Key,
        after: EventId,
        until: Option<EventId>,
        many: usize,
    ) -> Result<Page<T>> {
        let many = names::check_many("read", many)?;
        let found = self.run(&key, &ReadRange { after, until, many }).await?;
        Ok(Page::new(found, |event| self.decode(event)))
    }

    /// Returns the first `many` dead letters after an id, of all groups, at most
    /// [`MAX_BATCH`](super::MAX_BATCH) and a megabyte of events. One round trip.
    ///
    /// Continue after the last one until there are none. An event becomes one when it was delivered
    /// [too often](super::Group::with_max_deliveries), or was [rejected](super::Consumer::reject).
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub async fn dead_letters(
        &self,
        id: impl KeyId,
        after: EventId,
        many: usize,
    ) -> Result<Vec<DeadLetter<T>>> {
        let many = names::check_many("dead letters", many)?;
        let key = self.key(id);
        let found = self.run(&key, &ReadDead { after, many }).await?;
        let letter = |letter| DeadLetter::new(letter, |event| self.decode(event));
        Ok(found.into_iter().map(letter).collect())
    }

    /// Decodes an event. None, with a metric, for one that is not a `T`.
    pub(super) fn decode(&self, event: Option<&[u8]>) -> Option<T> {
        let event = event.and_then(crate::json::decode);
        if event.is_none() {
            metrics::counter!("larder_log_undecodable_total", "log" => self.name.to_string())
                .increment(1);
            tracing::warn!(log = &*self.name, "an event is not of the type of the log");
        }
        event
    }
}
