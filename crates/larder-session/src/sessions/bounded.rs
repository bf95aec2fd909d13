use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use larder_store as store;

use super::Sessions;
use crate::{Error, Result};

impl Sessions {
    /// The answer of the store, waited for no longer than was declared. A store that answers at once
    /// takes no timer, nor does one with a deadline of its own that is short enough.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable).
    pub(super) async fn bounded<T>(
        &self,
        answer: impl Future<Output = store::Result<T>>,
    ) -> Result<T> {
        let mut answer = pin!(answer);
        let first = poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await;
        let answer = match first {
            Poll::Ready(answer) => answer,
            Poll::Pending if self.is_bounded_by_the_store() => answer.await,
            Poll::Pending => match tokio::time::timeout(self.settings.timeout, answer).await {
                Ok(answer) => answer,
                Err(_) => Err(store::Error::new(
                    "run",
                    store::ErrorKind::MayHaveRun,
                    "the store took longer than the session's timeout",
                )),
            },
        };
        self.answered(answer)
    }

    /// Whether the store itself waits no longer than was declared: a timer more would cost each read
    /// a good part of what it takes.
    fn is_bounded_by_the_store(&self) -> bool {
        let deadline = self.programs.deadline();
        deadline.is_some_and(|deadline| deadline <= self.settings.timeout)
    }

    /// The answer of the store, counted, as whoever asked gets it.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable).
    pub(super) fn answered<T>(&self, answer: store::Result<T>) -> Result<T> {
        match answer {
            Ok(answer) => {
                self.meter.store_works();
                Ok(answer)
            }
            Err(error) => {
                self.meter.store_fails(&error);
                Err(Error::unavailable(error))
            }
        }
    }
}
