use std::fmt::Display;
use std::time::Duration;

use larder_store::{Error, ErrorKind, Refusal};
use tokio::time::timeout;

/// How long a panel waits for the store.
pub(super) const PATIENCE: Duration = Duration::from_millis(700);

/// Waits for the store for as long as a panel may, and describes what went wrong.
pub(super) async fn ask<T, E: Display>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, String> {
    match timeout(PATIENCE, work).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(format!("The store did not answer: {error}.")),
        Err(_) => {
            let millis = PATIENCE.as_millis();
            Err(format!("The store did not answer within {millis} ms."))
        }
    }
}

/// Limits one of several reads at once, so that one without an answer leaves time for the others.
pub(super) async fn ask_one<T>(
    work: impl Future<Output = larder_store::Result<T>>,
) -> larder_store::Result<T> {
    timeout(PATIENCE / 3, work).await.unwrap_or_else(|_| {
        let kind = ErrorKind::Refused(Refusal::Unavailable);
        Err(Error::new("read", kind, "there was no answer in time"))
    })
}
