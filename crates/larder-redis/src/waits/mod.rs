//! Waits for a record or a lease, by messages of scripts and by polling.
//!
//! A waiter subscribes to the channel `kind:{id}:~waiters`, and then sets a key of that name for a
//! few seconds. A script that wakes publishes if that key exists, and removes it if nobody received
//! the message: so nothing is sent while nobody waits.

mod pauses;

use std::sync::{Arc, Weak};
use std::time::Duration;

use ::redis::{Cmd, Value};
use async_trait::async_trait;
use larder_store::wait::{Waiter, Waits, Wake};
use larder_store::{Content, Key, Result};
use tokio::time::{Instant, sleep};

use crate::bus::{SubscriptionManager, Wakeup};
use crate::operation::{Repeat, Request};
use crate::route::Route;
use crate::store::RedisStore;
use pauses::Pauses;

/// The suffix of the key and the channel of waiters.
///
/// No part has a `~` in its name.
pub(crate) const WAITERS: &str = "~waiters";

/// How long a key marks that there is a waiter. It is set again several times in that period.
const MARKED_FOR: Duration = Duration::from_secs(10);

/// The age of a mark that is set again before the next wait.
const OLD: Duration = Duration::from_secs(5);

/// How often a waiter that could not subscribe tries again.
const TRY_EVERY: Duration = Duration::from_secs(2);

#[async_trait]
impl Waits for RedisStore {
    async fn wait_for(&self, key: &Key) -> Result<Box<dyn Waiter>> {
        key.require(Content::Record, "wait")?;
        Ok(Box::new(self.waiter(key).await))
    }
}

impl RedisStore {
    /// Registers a waiter. A waiter that cannot be woken looks again from time to time.
    pub(crate) async fn waiter(&self, key: &Key) -> RedisWaiter {
        let mut waiter = RedisWaiter {
            route: self.route.clone(),
            subscriptions: self
                .subscriptions
                .as_ref()
                .map(Arc::downgrade)
                .unwrap_or_default(),
            channel: format!("{}:{WAITERS}", key.as_str()).into(),
            wakeup: None,
            pauses: Pauses::new(false),
            has_gap: false,
            since: Instant::now(),
        };
        waiter.subscribe().await;
        waiter
    }
}

/// A waiter for a record, or for the lease of a value.
pub(crate) struct RedisWaiter {
    route: Arc<Route>,
    /// None once the store is dropped, or if its servers cannot push.
    subscriptions: Weak<SubscriptionManager>,
    channel: Box<str>,
    wakeup: Option<Wakeup>,
    pauses: Pauses,
    /// A wake may have been missed, and the mark was not set since.
    has_gap: bool,
    /// When the mark was last set; without a subscription, when one was last tried.
    since: Instant,
}

impl RedisWaiter {
    /// Subscribes and sets the mark. If that fails, the waiter polls.
    async fn subscribe(&mut self) {
        self.since = Instant::now();
        if let Some(subscriptions) = self.subscriptions.upgrade() {
            self.wakeup = subscriptions.wakeup(&self.channel).await.ok();
        }
        self.mark().await;
    }

    /// Marks for scripts that there is a waiter, if it can be woken.
    ///
    /// If that fails, the waiter polls.
    async fn mark(&mut self) {
        if self.wakeup.as_ref().is_some_and(Wakeup::has_ended) {
            // From now on it polls, and tries to subscribe again.
            self.wakeup = None;
            self.pauses.told(false);
            self.since = Instant::now();
        }
        if self.wakeup.is_some() {
            let since = Instant::now();
            let is_told = self.set_mark().await;
            self.pauses.told(is_told);
            self.since = since;
        }
        self.has_gap = false;
    }

    async fn set_mark(&self) -> bool {
        let request = Request::read("wait");
        let begun = self.route.begin(self.channel.as_bytes(), request).await;
        let Ok(operation) = begun else { return false };
        let mut command = Cmd::with_capacity(5, self.channel.len() + 24);
        command.arg("SET").arg(&*self.channel).arg(1);
        command.arg("PX").arg(MARKED_FOR.as_millis() as u64);
        let marked = operation.send(&command, Repeat::Idempotent).await;
        matches!(marked, Ok(Value::Okay))
    }
}

#[async_trait]
impl Waiter for RedisWaiter {
    async fn next(&mut self) -> Wake {
        if self.wakeup.is_none() {
            sleep(self.pauses.next()).await;
            if self.since.elapsed() >= TRY_EVERY {
                self.subscribe().await;
            }
            return Wake::Recheck;
        }
        // If wakes come often, no pause ends, and the mark would expire; without it nobody is told.
        let age = self.since.elapsed();
        self.has_gap |= age >= MARKED_FOR;
        if age >= OLD && !self.has_gap {
            self.mark().await;
        }
        if let Some(wakeup) = self.wakeup.as_ref().filter(|_| !self.has_gap) {
            let pause = sleep(self.pauses.next());
            let is_message = tokio::select! {
                biased;
                is_message = wakeup.notified() => is_message,
                () = pause => false,
            };
            if is_message {
                return Wake::Woken;
            }
            // Kept, so that nothing is lost if the call is dropped below.
            self.has_gap = true;
        }
        // The mark may have expired, and another server may hold the record by now.
        self.mark().await;
        Wake::Recheck
    }
}
