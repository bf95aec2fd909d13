use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use larder_store::lease::Fence;
use larder_store::{Clock, Timestamp};
use tokio::sync::futures::OwnedNotified;
use tokio::time::{sleep, timeout};

/// A lease as a follower saw it.
pub(crate) struct Watch {
    pub(crate) fence: Fence,
    pub(crate) until: Timestamp,
    /// Notified when the lease ends, and when its end moves forward.
    pub(crate) changed: OwnedNotified,
}

/// Waits until the lease that is held at the first look has ended. Returns false after `within`.
///
/// Nothing signals that a lease has run out. A tokio timer waits for it, or a waker of the clock if
/// that is moved by hand.
pub(crate) async fn follow(
    mut look: impl FnMut() -> Option<Watch>,
    clock: &dyn Clock,
    within: Duration,
) -> bool {
    let Some(mut watch) = look() else { return true };
    let fence = watch.fence;
    let ended = async {
        loop {
            change(watch, clock).await;
            match look() {
                Some(next) if next.fence == fence => watch = next,
                _ => return,
            }
        }
    };
    timeout(within, ended).await.is_ok()
}

/// Waits until the lease may have ended.
async fn change(watch: Watch, clock: &dyn Clock) {
    let Watch { until, changed, .. } = watch;
    let mut changed = pin!(changed);
    let mut timer = pin!(sleep(until.since(clock.now())));
    poll_fn(|cx| {
        if changed.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match clock.wake_when_moved(cx.waker()) {
            true if clock.now() < until => Poll::Pending,
            true => Poll::Ready(()),
            false => timer.as_mut().poll(cx),
        }
    })
    .await;
}
