//! The bus: publishes over the connection for commands, and subscribes on a second one.
//!
//! - [`Subject`] is a channel or a pattern as the server knows it.
//! - [`Subscriber`] receives messages: into a mailbox, or as a wakeup.
//! - [`SubscriptionRegistry`] maps subjects to subscribers, and subscribes to each subject once.
//! - [`Link`] keeps a connection while there are subscribers, and sends the registry's changes.
//! - [`Links`] are the links of a store: one, and in a cluster one more for each master.
//! - [`PushHandler`] moves pushed messages from the client's task into the mailboxes.
//! - [`SubscriptionManager`] owns all of these for one store.
//!
//! The client library's own subscriptions are not used: they end silently with the connection, and
//! queue messages without a bound.

mod link;
mod links;
mod manager;
mod push_handler;
mod registry;
mod subject;
mod subscriber;

use std::sync::Arc;

use ::redis::{Cmd, Value};
use async_trait::async_trait;
use bytes::Bytes;
use larder_store::Result;
use larder_store::bus::{Bus, Channel, SubscribeRequest, Subscription, check_message, mailbox};

use crate::commands;
use crate::operation::{Repeat, Request};
use crate::route::Route;
use subject::Sort;
use subscriber::Sink;

pub(crate) use manager::{SubscriptionManager, Wakeup};

/// The default limit of subscriptions.
pub(crate) const DEFAULT_SUBSCRIPTIONS: usize = 10_000;

/// The bus of a store that has one.
pub(crate) struct RedisBus {
    pub(crate) route: Arc<Route>,
    pub(crate) subscriptions: Arc<SubscriptionManager>,
}

#[async_trait]
impl Bus for RedisBus {
    async fn publish(&self, channel: &Channel, payload: Bytes) -> Result<()> {
        check_message(&payload)?;
        let (name, request) = (channel.as_str().as_bytes(), Request::read("publish"));
        let sort = self.subscriptions.sort(channel.topic().is_sharded());
        let (publish, begun) = match sort == Sort::Shard {
            true => ("SPUBLISH", self.route.begin(name, request).await?),
            // It has no key.
            false => ("PUBLISH", self.route.begin_anywhere(name, request).await?),
        };
        let mut command = Cmd::with_capacity(3, name.len() + payload.len() + 16);
        command.arg(publish).arg(name).arg(&*payload);
        match begun.send(&command, Repeat::Never).await? {
            Value::Int(_) => Ok(()),
            other => Err(commands::unread("publish", &other)),
        }
    }

    async fn subscribe(&self, request: SubscribeRequest) -> Result<Subscription> {
        request.check()?;
        let request = request.distinct();
        let (mailbox, subscription) = mailbox(request.buffer());
        let subjects = self.subscriptions.subjects(&request);
        let guard = self
            .subscriptions
            .listen(subjects, Sink::Mailbox(mailbox))
            .await?;
        Ok(subscription.with_guard(guard))
    }
}
