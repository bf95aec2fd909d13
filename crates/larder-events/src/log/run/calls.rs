use std::future::{Future, pending};
use std::time::Duration;

use larder_layer::StoreTimeout;
use larder_store::{Error, ErrorKind, Result};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::pause::drawn;

/// The longest that the consumer waits for the store. Most stores enforce less themselves.
const STORE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the store may be tried after the grace period.
const LAST_CALLS: Duration = Duration::from_secs(3);

/// The longest grace period, a year: much later moments cannot be computed.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// The store calls of a consumer, and the time by which it must end.
#[derive(Clone)]
pub(super) struct Calls {
    timeout: StoreTimeout,
    /// None while it works.
    until: watch::Sender<Option<Instant>>,
}

impl Calls {
    pub(super) fn new(store_deadline: Option<Duration>) -> Self {
        Self {
            timeout: StoreTimeout::new(STORE_TIMEOUT, store_deadline),
            until: watch::Sender::new(None),
        }
    }

    /// Tells the consumer to stop, and its handlers to end within `grace`.
    pub(super) fn stop(&self, grace: Duration) {
        let until = Instant::now() + grace.min(LONGEST) + LAST_CALLS;
        self.until.send_replace(Some(until));
    }

    /// Waits until the consumer is told to stop.
    pub(super) async fn told(&self) {
        let mut until = self.until.subscribe();
        // This never fails, because the sender is in `self`.
        drop(until.wait_for(Option::is_some).await);
    }

    /// Waits until the grace period is over.
    pub(super) async fn grace_over(&self) {
        self.is_near(LAST_CALLS).await;
    }

    /// Ends the grace period now.
    pub(super) fn end(&self) {
        let last = Instant::now() + LAST_CALLS;
        self.until
            .send_modify(|until| *until = Some(until.map_or(last, |until| until.min(last))));
    }

    /// Runs a call within its own time limit, and the consumer's remaining time.
    pub(super) async fn run<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        tokio::select! {
            biased;
            answer = self.timeout.run(operation, call) => answer,
            () = self.over() => {
                let text = "the store did not answer before the consumer had to end";
                Err(Error::new(operation, ErrorKind::MayHaveRun, text))
            }
        }
    }

    /// Waits at most `pause` before a call is made again. Returns whether there is time for that.
    pub(super) async fn pause(&self, pause: Duration) -> bool {
        let again = Instant::now() + drawn(pause);
        let has_time = self.until.borrow().is_none_or(|until| again < until);
        if !has_time {
            return false;
        }
        tokio::select! {
            biased;
            () = self.over() => false,
            () = sleep_until(again) => true,
        }
    }

    /// Waits until the consumer must end.
    async fn over(&self) {
        self.is_near(Duration::ZERO).await;
    }

    /// Waits until this long before the consumer must end.
    async fn is_near(&self, left: Duration) {
        let mut until = self.until.subscribe();
        loop {
            let at = *until.borrow_and_update();
            let near = async {
                match at {
                    Some(at) => sleep_until(at - left).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = near => return,
                _ = until.changed() => {}
            }
        }
    }
}
