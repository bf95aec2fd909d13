use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use larder_store::program::Wire;
use larder_store::{Error, ErrorKind, KeyId, Refusal, Result};
use serde::Serialize;

use super::append::{Append, Item, Written};
use super::{Appended, EventId, EventLog, MAX_BATCH, MAX_EVENT, MessageId, STEP_BYTES, names};

impl<T: Serialize> EventLog<T> {
    /// Appends an event to the log `id`, and returns its id. One round trip.
    ///
    /// # Errors
    /// Those of the store; [`ErrorKind::TooLarge`] past [`MAX_EVENT`]; [`ErrorKind::Invalid`] if it cannot be
    /// written as JSON. After [`ErrorKind::MayHaveRun`] it may have been appended, once: to be able to repeat an
    /// append, use [`append_once`](Self::append_once).
    ///
    /// # Cancellation
    /// The event may or may not have been appended.
    pub async fn append(&self, id: impl KeyId, event: &T) -> Result<EventId> {
        let event = crate::json::encode("append", event, MAX_EVENT)?;
        id_of(self.append_one(id, event, "".into()).await?)
    }

    /// Appends several events in order, and returns a result for each.
    ///
    /// It takes one round trip for each [`MAX_BATCH`] of them or megabyte, which are appended as a whole or not
    /// at all. After an error nothing more is sent: later events have [`ErrorKind::NotSent`].
    ///
    /// # Errors
    /// Each result has those of [`append`](Self::append). If one event cannot be written as JSON or is too
    /// large, none is appended.
    ///
    /// # Cancellation
    /// Each of them may or may not have been appended.
    pub async fn append_many(&self, id: impl KeyId, events: &[T]) -> Vec<Result<EventId>> {
        let key = self.key(id);
        let encoded = |event| crate::json::encode("append", event, MAX_EVENT);
        let encoded: Result<Vec<_>> = events.iter().map(encoded).collect();
        let fail = |kind, text| move || Err(Error::new("append", kind, text));
        let mut events = match encoded {
            Ok(encoded) => VecDeque::from(encoded),
            Err(error) => {
                let text = "one of the events cannot be appended, so none was";
                return std::iter::repeat_with(fail(error.kind(), text))
                    .take(events.len())
                    .collect();
            }
        };
        let mut results = Vec::with_capacity(events.len());
        while !events.is_empty() {
            let step = first_step(&mut events);
            let many = step.len();
            match self.run(&key, &self.prepare(step)).await {
                Ok(written) => results.extend(written.into_iter().map(id_of)),
                Err(error) => {
                    let text = "the batch that this event was in failed";
                    results.extend(std::iter::repeat_with(fail(error.kind(), text)).take(many));
                    let text = "an earlier event could not be appended, so this one was not sent";
                    let rest = std::iter::repeat_with(fail(ErrorKind::NotSent, text));
                    results.extend(rest.take(events.len()));
                    break;
                }
            }
        }
        results
    }

    /// Appends the event of a message, unless it was appended before. One round trip.
    ///
    /// Messages are remembered for [`with_retention`](Self::with_retention). Within that time you may send the
    /// same message any number of times, for example after [`ErrorKind::MayHaveRun`]: there is one event. The
    /// first event is kept, whatever is sent later under the same id.
    ///
    /// # Errors
    /// Those of [`append`](Self::append); [`ErrorKind::Invalid`] if a name is not 1 to 256 bytes;
    /// [`Refusal::Full`] if the maximum number of messages is remembered, which by default happens above 27 a second:
    /// see [`with_max_remembered`](Self::with_max_remembered).
    ///
    /// # Cancellation
    /// The event may or may not have been appended. Send it again to find out.
    pub async fn append_once(
        &self,
        id: impl KeyId,
        message: MessageId<'_>,
        event: &T,
    ) -> Result<Appended> {
        let event = crate::json::encode("append", event, MAX_EVENT)?;
        match self.append_one(id, event, names::message(message)?).await? {
            Written::New(id) => Ok(Appended::New(id)),
            Written::Duplicate(id) => Ok(Appended::Duplicate(id)),
            full => id_of(full).map(Appended::New),
        }
    }

    async fn append_one(&self, id: impl KeyId, event: Bytes, message: Arc<str>) -> Result<Written> {
        let (key, item) = (self.key(id), Item { event, message });
        let written = self.run(&key, &self.prepare(vec![item])).await?;
        let none = || Wire::unexpected("the outcome of an append");
        written.into_iter().next().ok_or_else(none)
    }

    fn prepare(&self, items: Vec<Item>) -> Append {
        Append {
            remembered: self.retention,
            max_remembered: self.max_remembered,
            bounds: self.bounds,
            ttl: self.ttl,
            items,
        }
    }
}

/// Takes the events that one step appends; their number limits its duration.
fn first_step(events: &mut VecDeque<Bytes>) -> Vec<Item> {
    let (mut step, mut bytes) = (Vec::new(), 0);
    while let Some(event) = events.front()
        && step.len() < MAX_BATCH
        && (step.is_empty() || bytes + event.len() <= STEP_BYTES)
    {
        bytes += event.len();
        let message = "".into();
        let event = events.pop_front();
        step.extend(event.map(|event| Item { event, message }));
    }
    step
}

fn id_of(written: Written) -> Result<EventId> {
    match written {
        Written::New(id) | Written::Duplicate(id) => Ok(id),
        Written::Full => {
            let text = "the maximum of remembered message ids is reached: see with_retention and with_max_remembered";
            Err(Error::new(
                "append",
                ErrorKind::Refused(Refusal::Full),
                text,
            ))
        }
    }
}
