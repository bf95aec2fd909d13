use std::sync::Arc;

use ::redis::aio::{AsyncPushSender, SendError};
use ::redis::{PushInfo, PushKind, Value};
use bytes::Bytes;
use larder_store::bus::{MAX_MESSAGE, Message};

use super::registry::{LinkId, SubscriptionRegistry};
use crate::connection::Health;
use crate::reply::text;

/// Passes the pushes of one connection to the registry, without waiting.
pub(super) struct PushHandler {
    pub(super) registry: Arc<SubscriptionRegistry>,
    pub(super) link: LinkId,
    pub(super) health: Arc<Health>,
}

impl AsyncPushSender for PushHandler {
    fn send(&self, push: PushInfo) -> Result<(), SendError> {
        let mut data = push.data.into_iter();
        let first = data.next();
        let Some(subject) = first.as_ref().and_then(text) else {
            return Ok(());
        };
        match push.kind {
            PushKind::Message | PushKind::SMessage => {
                if let Some(payload) = data.next() {
                    self.deliver(subject, subject, payload);
                }
            }
            PushKind::PMessage => {
                if let (Some(channel), Some(payload)) = (data.next(), data.next())
                    && let Some(channel) = text(&channel)
                {
                    self.deliver(subject, channel, payload);
                }
            }
            PushKind::Subscribe | PushKind::PSubscribe | PushKind::SSubscribe => {
                self.registry.confirmed(self.link, subject);
            }
            PushKind::Unsubscribe | PushKind::PUnsubscribe | PushKind::SUnsubscribe => {
                self.left(subject);
            }
            _ => {}
        }
        Ok(())
    }
}

impl PushHandler {
    /// Handles the end of a subject.
    fn left(&self, subject: &str) {
        // A slot that moves takes its channels along, and the client has mistaken the server's
        // message about that for an answer: only on a new connection is it certain what it
        // receives.
        if !self.registry.left(self.link, subject) {
            self.health.dropped();
        }
    }

    fn deliver(&self, subject: &str, channel: &str, payload: Value) {
        let Some((subject, recipients)) = self.registry.recipients(self.link, subject) else {
            return;
        };
        let message = match payload {
            Value::BulkString(payload) if payload.len() <= MAX_MESSAGE => {
                let channel = subject.channel_of(channel);
                channel.map(|channel| Message {
                    channel,
                    payload: Bytes::from(payload),
                })
            }
            // Another client sent a message that no store sends.
            _ => {
                recipients
                    .iter()
                    .for_each(|subscriber| subscriber.leave_gap());
                return;
            }
        };
        for subscriber in recipients {
            subscriber.deliver(message.clone());
        }
    }
}
