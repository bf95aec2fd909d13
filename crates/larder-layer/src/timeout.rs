use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use larder_store::{
    Delete, DeleteOutcome, Entry, Error, ErrorKind, Key, Put, PutOutcome, Result, Store,
};

/// Waits for a store no longer than a layer allows.
///
/// It needs no timer if the answer is ready at once, or if the store enforces a deadline that is short
/// enough.
#[derive(Clone, Copy, Debug)]
pub struct StoreTimeout {
    limit: Duration,
    store_enforces_it: bool,
}

impl StoreTimeout {
    /// The shortest limit, 1 ms. With none, a store on a network would never answer in time.
    pub const MIN: Duration = Duration::from_millis(1);

    /// The longest limit, 1 hour: every wait ends.
    pub const MAX: Duration = Duration::from_secs(3600);

    /// Makes a timeout of `limit` for a store whose own deadline is `store_deadline`, if it has one.
    ///
    /// The limit is clamped to [`MIN`](Self::MIN) and [`MAX`](Self::MAX).
    pub fn new(limit: Duration, store_deadline: Option<Duration>) -> Self {
        let limit = limit.clamp(Self::MIN, Self::MAX);
        Self {
            limit,
            store_enforces_it: store_deadline.is_some_and(|deadline| deadline <= limit),
        }
    }

    /// Returns the maximum time that [`run`](Self::run) waits.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Reads a key. At most one round trip, and no allocation if the answer is ready at once.
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    pub async fn get(&self, store: &dyn Store, key: &Key) -> Result<Option<Entry>> {
        match store.get_now(key) {
            Poll::Ready(answer) => answer,
            Poll::Pending => self.run("get", store.get(key)).await,
        }
    }

    /// Writes a value at the cost of [`get`](Self::get). Returns whether its condition was met.
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    pub async fn put(&self, store: &dyn Store, put: &Put) -> Result<PutOutcome> {
        match store.put_now(put) {
            Poll::Ready(answer) => answer,
            Poll::Pending => self.run("put", store.put(put)).await,
        }
    }

    /// Removes a value at the cost of [`get`](Self::get). Returns whether there was one.
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    pub async fn delete(&self, store: &dyn Store, delete: &Delete) -> Result<DeleteOutcome> {
        match store.delete_now(delete) {
            Poll::Ready(answer) => answer,
            Poll::Pending => self.run("delete", store.delete(delete)).await,
        }
    }

    /// Waits for an answer of the store.
    ///
    /// # Errors
    /// Those of `answer`, and [`ErrorKind::MayHaveRun`] when the time is up.
    ///
    /// # Cancellation
    /// Dropping it drops `answer`.
    pub async fn run<T>(
        &self,
        operation: &'static str,
        answer: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        if self.store_enforces_it {
            return answer.await;
        }
        match bounded(self.limit, answer).await {
            Some(answer) => answer,
            None => Err(Error::new(
                operation,
                ErrorKind::MayHaveRun,
                format!("the store did not answer within {:?}", self.limit),
            )),
        }
    }

    /// Waits for a lock that the caller must hold before it sends `operation`.
    ///
    /// # Errors
    /// [`ErrorKind::NotSent`] when the time is up, whatever deadline the store has of its own.
    ///
    /// # Cancellation
    /// Dropping it drops `lock`.
    pub async fn lock<T>(
        &self,
        operation: &'static str,
        lock: impl Future<Output = T>,
    ) -> Result<T> {
        bounded(self.limit, lock).await.ok_or_else(|| {
            Error::new(
                operation,
                ErrorKind::NotSent,
                format!("earlier writes did not end within {:?}", self.limit),
            )
        })
    }
}

/// Waits for `future`, at most `limit`. No timer if it is ready at once.
async fn bounded<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    if let Poll::Ready(ready) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
        return Some(ready);
    }
    let mut timer = pin!(tokio::time::sleep(limit));
    // It was polled just now, in this task, and would not be ready yet.
    let mut was_polled = true;
    poll_fn(|cx| {
        if !std::mem::take(&mut was_polled)
            && let Poll::Ready(ready) = future.as_mut().poll(cx)
        {
            return Poll::Ready(Some(ready));
        }
        timer.as_mut().poll(cx).map(|()| None)
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    const LIMIT: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_is_an_error_that_may_have_run() {
        let timeout = StoreTimeout::new(LIMIT, None);
        let began = tokio::time::Instant::now();
        let error = timeout
            .run("get", pending::<Result<()>>())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MayHaveRun);
        assert_eq!(began.elapsed(), LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_waits_is_polled_once_before_the_wait() {
        let mut polls = 0;
        let answer = poll_fn(|cx| {
            polls += 1;
            match polls {
                1 => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                polls => Poll::Ready(Ok(polls)),
            }
        });
        let timeout = StoreTimeout::new(LIMIT, None);
        let mut call = pin!(timeout.run("get", answer));
        let first = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
        assert!(first.is_pending());
        assert_eq!(call.await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_comes_late_is_an_error_that_was_not_sent() {
        let lock = tokio::sync::RwLock::new(());
        let timeout = StoreTimeout::new(LIMIT, Some(LIMIT));
        let held = timeout.lock("put", lock.read()).await.unwrap();
        let began = tokio::time::Instant::now();
        let error = timeout.lock("put", lock.write()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotSent);
        assert_eq!(began.elapsed(), LIMIT);
        drop(held);
        assert!(timeout.lock("put", lock.write()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_at_once_needs_no_time_at_all() {
        let began = tokio::time::Instant::now();
        let timeout = StoreTimeout::new(Duration::ZERO, None);
        assert_eq!(timeout.run("get", ready(Ok(7))).await.unwrap(), 7);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_of_no_time_or_of_all_time_is_clamped() {
        for (limit, clamped) in [
            (Duration::ZERO, StoreTimeout::MIN),
            (Duration::from_nanos(1), StoreTimeout::MIN),
            (LIMIT, LIMIT),
            (Duration::MAX, StoreTimeout::MAX),
        ] {
            let timeout = StoreTimeout::new(limit, None);
            assert_eq!(timeout.limit(), clamped);
            let began = tokio::time::Instant::now();
            assert!(timeout.run("get", pending::<Result<()>>()).await.is_err());
            assert_eq!(began.elapsed(), clamped);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_with_a_shorter_deadline_is_trusted_to_keep_it() {
        let own = async {
            tokio::time::sleep(LIMIT * 2).await;
            Ok(7)
        };
        let timeout = StoreTimeout::new(LIMIT, Some(LIMIT));
        assert_eq!(timeout.run("get", own).await.unwrap(), 7);
        let longer = StoreTimeout::new(LIMIT, Some(LIMIT * 2));
        assert!(longer.run("get", pending::<Result<()>>()).await.is_err());
    }
}
