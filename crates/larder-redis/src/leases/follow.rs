//! Follows a lease, by waiting for its key and for its end.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use ::redis::Value;
use larder_store::lease::FollowOutcome;
use larder_store::wait::Waiter;
use larder_store::{Clock, Key, ManualClock, Result, Timestamp};
use tokio::time::{Instant, sleep, timeout};

use super::scripts::call;
use super::{run, unread};
use crate::operation::Repeat;
use crate::store::RedisStore;

/// The longest time that a follower waits for a manual clock before it looks again.
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// A held lease: its fence, and the time that is left.
struct Seen {
    fence: i64,
    left: Duration,
}

impl RedisStore {
    /// Waits until the lease that is held at the first look has ended.
    pub(super) async fn wait_for_end(&self, key: &Key, within: Duration) -> Result<FollowOutcome> {
        let until = Instant::now().checked_add(within);
        // The waiter comes first, so that an end in between wakes it. A connection that must be made
        // for it may take longer than the follower can wait.
        let waiter = timeout(within, self.waiter(key)).await;
        let Some(mut seen) = self.look(key).await? else {
            return Ok(FollowOutcome::Ended);
        };
        let Ok(mut waiter) = waiter else {
            return Ok(FollowOutcome::StillHeld);
        };
        let fence = seen.fence;
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(FollowOutcome::StillHeld);
            }
            tokio::select! {
                _ = waiter.next() => {}
                () = self.passed(seen.left, left) => {}
            }
            match self.look(key).await? {
                Some(next) if next.fence == fence => seen = next,
                _ => return Ok(FollowOutcome::Ended),
            }
        }
    }

    /// Asks for the lease of `key`. None if it is not held.
    async fn look(&self, key: &Key) -> Result<Option<Seen>> {
        let script = &self.lease_scripts().follow;
        let command = self.timed(call(script, key, 0, 0));
        let operation = self.begin("follow", key).await?;
        let value = run(&operation, script, &command, Repeat::Safe).await?;
        match value {
            Value::Array(parts) => match parts[..] {
                [Value::Int(-1), _] => Ok(None),
                [Value::Int(fence), Value::Int(left @ 1..)] => Ok(Some(Seen {
                    fence,
                    left: Duration::from_micros(left.unsigned_abs()),
                })),
                _ => Err(unread("follow", &Value::Nil)),
            },
            other => Err(unread("follow", &other)),
        }
    }

    /// Waits until the time of the lease or of the follower may have passed.
    async fn passed(&self, hold: Duration, left: Option<Duration>) {
        match &self.virtual_time {
            // The lease ends by that clock, so this process's time says nothing.
            Some(clock) => {
                let moved = moved(clock, clock.now());
                let most = left.unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
                // After either of the two, look again.
                let _ = timeout(most, moved).await;
            }
            // If the timer fired a fraction of a millisecond early, it would cost another look.
            None => {
                let pause = left.map_or(hold, |left| hold.min(left));
                sleep(pause + Duration::from_millis(1)).await;
            }
        }
    }
}

/// Waits until a manual clock no longer shows `shown`.
async fn moved(clock: &ManualClock, shown: Timestamp) {
    poll_fn(|cx| {
        clock.wake_when_moved(cx.waker());
        match clock.now() == shown {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    })
    .await;
}
