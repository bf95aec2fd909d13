use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::action::{Action, Target};
use super::trouble::{Result, Trouble};
use crate::page::action_log::{Outcome, fingerprint};
use crate::page::guard::Operator;
use crate::page::patience::ask;
use crate::page::state::Shared;

/// The time limit of an action, which may take many round trips.
const WITHIN: Duration = Duration::from_secs(10);

/// The outcome of an action.
pub(super) struct Attempt {
    /// How many things it changed.
    pub(super) result: Result<u64>,
    pub(super) is_logged: bool,
}

/// Carries out an action and logs it, unless nothing was done.
///
/// Run it in a task of its own: a caller that is dropped must stop neither.
pub(super) async fn attempt(
    shared: Arc<Shared>,
    operator: Operator,
    action: Action,
    target: Target,
) -> Attempt {
    let _changed = Changed(&shared);
    let result = within(action.run(&shared, &target)).await;
    let done = match &result {
        Ok(count) => (Outcome::Done, *count),
        Err(Trouble::Unsure(outcome, _)) => (*outcome, 0),
        Err(Trouble::Refused(_)) => {
            return Attempt {
                result,
                is_logged: false,
            };
        }
    };
    let (outcome, count) = done;
    let (name, target) = (action.name(), fingerprint(&target.subject));
    macro_rules! log {
        ($level:ident, $($text:tt)+) => {
            tracing::$level!(
                operator = operator.name(),
                action = name,
                target,
                outcome = outcome.as_str(),
                count,
                $($text)+
            )
        };
    }
    log!(info, "an operator acted");
    let noted = ask(shared.log.note(&operator, name, target.clone(), done)).await;
    if let Err(trouble) = &noted {
        log!(warn, "an action is not in the log: {trouble}");
    }
    Attempt {
        result,
        is_logged: noted.is_ok(),
    }
}

/// Makes the listings start again, even after an action that panics.
struct Changed<'a>(&'a Shared);

impl Drop for Changed<'_> {
    fn drop(&mut self) {
        self.0.queues.forget();
        self.0.locks.forget();
    }
}

/// Limits the time of an action.
pub(super) async fn within<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    match timeout(WITHIN, work).await {
        Ok(result) => result,
        Err(_) => {
            let text = format!(
                "It took longer than {} s, and a part of it may have been done.",
                WITHIN.as_secs()
            );
            Err(Trouble::Unsure(Outcome::Timeout, text))
        }
    }
}
