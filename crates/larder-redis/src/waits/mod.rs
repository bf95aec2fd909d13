//! Waits for a record or a lease, by messages of scripts and by polling.
//!
//! Whoever waits subscribes to the channel `kind:{id}:~waiters`, and then sets a key of that name for
//! a few seconds. A script that wakes publishes if that key is there, and removes it when nobody has
//! heard: so nothing is sent while nobody waits.

mod pauses;

use std::sync::Arc;

use ::redis::{Cmd, Value};
use async_trait::async_trait;
use larder_store::wait::{Waiter, Waits, Wake};
use larder_store::{Content, Key, Result};
use tokio::time::sleep;

use crate::bus::Wakeup;
use crate::operation::{Repeat, Request};
use crate::route::Route;
use crate::store::RedisStore;
use pauses::Pauses;

/// The suffix of the key and the channel of waiters.
///
/// No part has a `~` in its name.
pub(crate) const WAITERS: &str = "~waiters";

/// The time for which a key marks that there is a waiter, in milliseconds.
///
/// It is set again several times in that.
const MARKED_FOR: u64 = 10_000;

#[async_trait]
impl Waits for RedisStore {
    async fn wait_for(&self, key: &Key) -> Result<Box<dyn Waiter>> {
        key.require(Content::Record, "wait")?;
        Ok(Box::new(self.waiter(key).await))
    }
}

impl RedisStore {
    /// Registers a waiter. One that cannot be told looks again from time to time.
    pub(crate) async fn waiter(&self, key: &Key) -> RedisWaiter {
        let channel: Box<str> = format!("{}:{WAITERS}", key.as_str()).into();
        let wakeup = match &self.subscriptions {
            Some(subscriptions) => subscriptions.wakeup(&channel).await.ok(),
            None => None,
        };
        let mut waiter = RedisWaiter {
            route: self.route.clone(),
            channel,
            wakeup,
            pauses: Pauses::new(false),
            has_gap: false,
        };
        waiter.mark().await;
        waiter
    }
}

/// One who waits for a record, or for the lease of a value.
pub(crate) struct RedisWaiter {
    route: Arc<Route>,
    channel: Box<str>,
    wakeup: Option<Wakeup>,
    pauses: Pauses,
    /// A gap was heard, and the mark was not set since.
    has_gap: bool,
}

impl RedisWaiter {
    /// Marks for scripts that there is a waiter, if it can be woken.
    ///
    /// If that fails, the waiter polls.
    async fn mark(&mut self) {
        if self.wakeup.is_some() {
            let is_told = self.set_mark().await;
            self.pauses.told(is_told);
        }
        self.has_gap = false;
    }

    async fn set_mark(&self) -> bool {
        let request = Request::read("wait");
        let begun = self.route.begin(self.channel.as_bytes(), request).await;
        let Ok(operation) = begun else { return false };
        let mut command = Cmd::with_capacity(5, self.channel.len() + 24);
        command.arg("SET").arg(&*self.channel).arg(1);
        command.arg("PX").arg(MARKED_FOR);
        let marked = operation.send(&command, Repeat::Idempotent).await;
        matches!(marked, Ok(Value::Okay))
    }
}

#[async_trait]
impl Waiter for RedisWaiter {
    async fn next(&mut self) -> Wake {
        let pause = sleep(self.pauses.next());
        let Some(wakeup) = &self.wakeup else {
            pause.await;
            return Wake::LookAgain;
        };
        if !self.has_gap {
            let is_message = tokio::select! {
                biased;
                is_message = wakeup.notified() => is_message,
                () = pause => false,
            };
            if is_message {
                return Wake::Woken;
            }
            // Kept, so that a call that is dropped below loses nothing.
            self.has_gap = true;
        }
        // The mark may have ended, and another server may hold the record by now.
        self.mark().await;
        Wake::LookAgain
    }
}
