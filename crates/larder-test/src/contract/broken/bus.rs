use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use larder_store::bus::{
    Bus, Channel, DEFAULT_BUFFER, MAX_MESSAGE, Message, SubscribeRequest, Subscription,
    check_message,
};
use larder_store::{Error, ErrorKind, Refusal, Result};
use tokio::task::yield_now;

use super::{BrokenStore, Fault};
use crate::contract::model::Listeners;

#[async_trait]
impl Bus for BrokenStore {
    async fn publish(&self, channel: &Channel, payload: Bytes) -> Result<()> {
        let message = Message {
            channel: channel.clone(),
            payload: self.broken_payload(payload)?,
        };
        let late = self.memory.lock().late.take();
        if let Some(late) = late {
            self.deliver(&message);
            self.deliver(&late);
            return Ok(());
        }
        match self.fault {
            Some(Fault::SwapsMessages) if self.count().is_multiple_of(64) => {
                self.memory.lock().late = Some(message);
                return Ok(());
            }
            Some(Fault::LosesMessagesInARush) if self.count().is_multiple_of(300) => return Ok(()),
            Some(Fault::MessagesLinger) => self.memory.lock().last = Some(message.clone()),
            _ => {}
        }
        match self.deliver(&message) {
            0 if self.has(Fault::NobodyListensIsAnError) => Err(Error::new(
                "publish",
                ErrorKind::Refused(Refusal::Unavailable),
                "no subscriber",
            )),
            _ => Ok(()),
        }
    }

    async fn subscribe(&self, request: SubscribeRequest) -> Result<Subscription> {
        let names_nothing = request.channels().is_empty() && request.patterns().is_empty();
        match self.fault {
            Some(Fault::ListensToNothing) if names_nothing => {}
            Some(Fault::HearsAllOfSharded) if !names_nothing => {}
            _ => request.check()?,
        }
        let channels = request.channels().to_vec();
        let listeners = self.listeners();
        match self.fault {
            Some(Fault::HearsOneChannel) if channels.len() > 1 => {
                Ok(listeners.add(SubscribeRequest::to_channel(channels[0].clone()), None))
            }
            Some(Fault::IgnoresBuffer) => {
                Ok(listeners.add(request.with_buffer(DEFAULT_BUFFER), None))
            }
            // A subscription to nothing, which misses the messages that are sent right after.
            Some(Fault::SubscribesTooEarly) if self.count().is_multiple_of(100) => {
                Ok(listeners.add(SubscribeRequest::default(), None))
            }
            Some(Fault::CancelledSubscribeTakesMessages) => {
                let mut taking = TakesOnDrop(self, channels);
                yield_now().await;
                taking.1.clear();
                Ok(listeners.add(request, None))
            }
            Some(Fault::DropEndsTheChannel) => {
                let ends = EndsOnDrop(listeners.clone(), channels);
                Ok(listeners.add(request, None).with_guard(ends))
            }
            Some(Fault::MessagesLinger) => {
                let last = self.memory.lock().last.clone();
                let last = last.filter(|last| channels.contains(&last.channel));
                Ok(listeners.add(request, last))
            }
            _ => Ok(listeners.add(request, None)),
        }
    }
}

impl BrokenStore {
    fn broken_payload(&self, payload: Bytes) -> Result<Bytes> {
        match self.fault {
            Some(Fault::CutsLargeMessages) => Ok(payload.slice(..payload.len().min(MAX_MESSAGE))),
            Some(Fault::RefusesLargeMessages) if payload.len() == MAX_MESSAGE => Err(Error::new(
                "publish",
                ErrorKind::TooLarge,
                "the message is too long",
            )),
            Some(Fault::FillsEmptyMessages) if payload.is_empty() => Ok(Bytes::from_static(b"\0")),
            Some(Fault::MessagesEndAtNul) => {
                check_message(&payload)?;
                let nul = payload.iter().position(|byte| *byte == 0);
                Ok(payload.slice(..nul.unwrap_or(payload.len())))
            }
            _ => check_message(&payload).map(|()| payload),
        }
    }
}

/// When dropped, loses all later messages of its channels.
struct TakesOnDrop<'a>(&'a BrokenStore, Vec<Channel>);

impl Drop for TakesOnDrop<'_> {
    fn drop(&mut self) {
        let taken = self.1.drain(..).map(|channel| channel.as_str().to_owned());
        self.0.memory.lock().taken.extend(taken);
    }
}

/// When dropped, ends all subscriptions of its channels.
struct EndsOnDrop(Arc<Listeners>, Vec<Channel>);

impl Drop for EndsOnDrop {
    fn drop(&mut self) {
        let shared = |channel: &Channel| self.1.contains(channel);
        self.0.end(|request| request.channels().iter().any(shared));
    }
}
