use std::fmt::Display;
use std::time::Duration;

use tokio::time::timeout;

/// How long a panel waits for the store.
pub(super) const PATIENCE: Duration = Duration::from_millis(700);

/// Waits for the store for as long as a panel may, and says in words what went wrong.
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
