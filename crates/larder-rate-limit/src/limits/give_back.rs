//! Gives back the charges of a request that is refused in the end.

use futures_util::future::join_all;
use larder_store::Key;
use larder_store::program::Calls;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::step::{Step, by_store};
use crate::RateLimiter;
use crate::give_back::GiveBack;

/// A charge on the record with this key, and how to give it back.
type Charged = (RateLimiter, Key, GiveBack);

/// Gives back what was charged and taken, as far as possible without waiting. Returns the rest.
pub(super) fn give_back_now(steps: &mut [Step<'_>]) -> Vec<Charged> {
    let charged = steps.iter_mut().filter_map(|step| {
        let back = step.give_back()?;
        let decision = step.outcome.as_ref()?.as_ref().ok()?;
        let limiter = step.asked.limiter;
        let key = limiter.charged(step.asked.key.clone(), decision);
        Some((limiter.clone(), key, back))
    });
    charged
        .filter(|(limiter, key, back)| back.run_now(&*limiter.programs, key).is_pending())
        .collect()
}

/// Gives back in a task, which continues if the caller is dropped. Returns the charges if there is no
/// runtime.
pub(super) fn in_background(
    left: Vec<Charged>,
) -> std::result::Result<JoinHandle<()>, Vec<Charged>> {
    match Handle::try_current() {
        Ok(runtime) if !left.is_empty() => Ok(runtime.spawn(give_back(left))),
        _ => Err(left),
    }
}

/// Gives back the charges. If that fails, they come back by themselves.
pub(super) async fn give_back(left: Vec<Charged>) {
    let stores = by_store(left, |(limiter, ..)| limiter);
    join_all(stores.iter().map(|here| give_back_in_one_store(here))).await;
}

async fn give_back_in_one_store(here: &[Charged]) {
    let Some((limiter, ..)) = here.first() else {
        return;
    };
    let mut runs: Vec<_> = here
        .iter()
        .map(|(_, key, back)| (key, back.sent()))
        .collect();
    let calls: Calls<'_> = runs
        .iter_mut()
        .map(|(key, run)| (*key, &mut **run as _))
        .collect();
    limiter.programs.call_many(calls).await;
}
