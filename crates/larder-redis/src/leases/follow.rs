//! Follows a lease: by wakeups of the bus, and by polling without one.

use larder_store::lease::FollowOutcome;
use std::future::{pending, poll_fn};
use std::task::Poll;
use std::time::Duration;

use ::redis::Value;
use larder_store::{Clock, Key, ManualClock, Result, Timestamp};
use tokio::time::{Instant, sleep, timeout};

use super::scripts::{call, channel};
use super::{run, unread};
use crate::bus::Wakeup;
use crate::operation::Repeat;
use crate::store::RedisStore;

/// How long a follower waits at first before it looks again, where no wakeup tells it; each pause is
/// half as long again as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(25);

/// The longest pause of a follower without a wakeup.
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// The pause of a follower with a wakeup, in case the leader may not publish.
const PAUSE_WITH_WAKEUP: Duration = Duration::from_secs(2);

/// A lease that is held: by whom, and for how long at most unless it is renewed.
struct Seen {
    fence: i64,
    left: Duration,
}

impl RedisStore {
    /// Waits until the lease that is held at the first look is not any more.
    pub(super) async fn wait_for_end(&self, key: &Key, within: Duration) -> Result<FollowOutcome> {
        let until = Instant::now().checked_add(within);
        // First the wakeup, then the look: what ends in between has rung. A connection that has to be
        // made for it may take longer than the follower has.
        let wakeup = timeout(within, self.wakeup(key)).await.ok().flatten();
        let Some(mut seen) = self.look(key, wakeup.is_some()).await? else {
            return Ok(FollowOutcome::Ended);
        };
        let (fence, mut pauses) = (seen.fence, Pauses::new(wakeup.is_some()));
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(FollowOutcome::StillHeld);
            }
            let pause = pauses.next().min(seen.left);
            let pause = left.map_or(pause, |left| pause.min(left));
            self.pause(wakeup.as_ref(), pause, left).await;
            match self.look(key, wakeup.is_some()).await? {
                Some(next) if next.fence == fence => seen = next,
                _ => return Ok(FollowOutcome::Ended),
            }
        }
    }

    /// A wakeup that fires when the lease of `key` ends; none where this store may not listen.
    async fn wakeup(&self, key: &Key) -> Option<Wakeup> {
        let subscriptions = self.subscriptions.as_ref()?;
        // One who cannot be told looks again from time to time.
        subscriptions.wakeup(&channel(key)).await.ok()
    }

    /// The lease of `key`, if it is held. One who is to be told says so with it.
    async fn look(&self, key: &Key, tell_me: bool) -> Result<Option<Seen>> {
        let script = &self.lease_scripts().follow;
        let mut command = call(script, key, 1, 0);
        command.arg(if tell_me { "f" } else { "" });
        let command = self.timed(command);
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

    /// Waits for the wakeup, and for `pause` at most; by a virtual clock, until that is moved.
    async fn pause(&self, wakeup: Option<&Wakeup>, pause: Duration, left: Option<Duration>) {
        let rung = async {
            match wakeup {
                Some(wakeup) => wakeup.notified().await,
                None => pending().await,
            }
        };
        let passed = async {
            match &self.virtual_time {
                // The lease ends by that clock, so its pauses say nothing.
                Some(clock) => {
                    let moved = moved(clock, clock.now());
                    let most = left.unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
                    // Either of the two is a reason to look.
                    let _ = timeout(most, moved).await;
                }
                // A timer that is early by a part of a millisecond would cost one more look.
                None => sleep(pause + Duration::from_millis(1)).await,
            }
        };
        tokio::select! {
            () = rung => {}
            () = passed => {}
        }
    }
}

/// Waits until a clock that is moved by hand does not show `shown` any more.
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

/// How long a follower waits between its looks.
struct Pauses {
    next: Duration,
    most: Duration,
}

impl Pauses {
    fn new(has_wakeup: bool) -> Self {
        match has_wakeup {
            true => Self {
                next: PAUSE_WITH_WAKEUP,
                most: PAUSE_WITH_WAKEUP,
            },
            false => Self {
                next: FIRST_PAUSE,
                most: LONGEST_PAUSE,
            },
        }
    }

    /// The next pause, up to a quarter shorter or longer than its turn, so that those who began
    /// together do not look together.
    fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 3 / 2).min(self.most);
        pause.mul_f64(0.75 + fastrand::f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_without_wakeups_polls_a_few_times_a_second() {
        let mut pauses = Pauses::new(false);
        let first: Duration = (0..8).map(|_| pauses.next()).sum();
        assert!(first > Duration::from_millis(300), "{first:?}");
        for _ in 0..100 {
            let pause = pauses.next();
            assert!(pause >= LONGEST_PAUSE * 3 / 4 && pause <= LONGEST_PAUSE * 5 / 4);
        }
        assert!(Pauses::new(true).next() >= PAUSE_WITH_WAKEUP * 3 / 4);
    }
}
