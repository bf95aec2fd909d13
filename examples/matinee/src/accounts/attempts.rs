//! Limits the wrong passwords that may be tried, per address and per account.
//!
//! An attempt is charged before its password is looked at, so that of any number at once no more are
//! looked at than the limit has, and given back unless the password was wrong. While an account has
//! used up its attempts the right password is refused too, unread: otherwise the answers would tell it
//! apart from the wrong ones. While the store fails nobody signs in.

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use larder::Store;
use larder::rate_limit::{Decision, FailMode, RateLimitLayer, RateLimiter};

use super::Email;
use crate::config::Config;
use crate::errors::Problem;
use crate::limits;

/// The limits on wrong passwords.
#[derive(Clone)]
pub(crate) struct Attempts {
    by_account: RateLimiter,
    by_address: RateLimitLayer,
}

/// An attempt that is charged to an account.
pub(super) struct Attempt(Decision);

impl Attempts {
    pub(super) fn new(config: &Config, store: &Arc<dyn Store>) -> larder::Result<Self> {
        let limiter = |policy| RateLimiter::new(store.clone(), policy, config.sign_in_limit);
        let by_address = RateLimitLayer::new(limiter("sign-in-address")?, limits::address(config))
            .with_fail_mode(FailMode::Closed)
            .with_refund_if(|response| response.status != StatusCode::UNAUTHORIZED);
        Ok(Self {
            by_account: limiter("sign-in-account")?,
            by_address,
        })
    }

    /// The limit by address, for the sign-in form.
    pub(super) fn by_address(&self) -> RateLimitLayer {
        self.by_address.clone()
    }

    /// Charges an attempt to an account. The answer is the same if the account does not exist.
    pub(super) async fn charge(&self, email: &Email) -> Result<Attempt, Response> {
        let decision = self.by_account.check(email.as_str()).await;
        let decision = decision.map_err(|error| {
            tracing::warn!(%error, "a sign-in attempt cannot be counted");
            Problem::of(StatusCode::SERVICE_UNAVAILABLE).into_response()
        })?;
        if decision.is_allowed() {
            return Ok(Attempt(decision));
        }
        // The text must not name an earlier time than the header.
        let wait = decision.retry_after().as_secs() + 1;
        let header = [(RETRY_AFTER, wait.to_string())];
        Err((header, too_many(Some(wait))).into_response())
    }

    /// Refunds an attempt that was not a wrong password.
    pub(super) async fn give_back(&self, email: &Email, attempt: Attempt) {
        if let Err(error) = self.by_account.refund(email.as_str(), attempt.0).await {
            // The limit restores it with its next interval.
            tracing::warn!(%error, "a sign-in attempt was not refunded");
        }
    }
}

/// Explains the refusals of the limit by address.
pub(super) async fn say_why(mut response: Response) -> Response {
    let is_ours = response.extensions().get::<Problem>().is_none();
    if response.status() == StatusCode::TOO_MANY_REQUESTS && is_ours {
        let problem = too_many(seconds(response.headers()));
        response.extensions_mut().insert(problem);
    }
    response
}

fn seconds(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

fn too_many(wait_seconds: Option<u64>) -> Problem {
    let when = wait_seconds.map_or_else(
        || "later".to_owned(),
        |wait| in_words(Duration::from_secs(wait)),
    );
    Problem::too_many(format!(
        "Too many attempts to sign in have failed. To keep accounts safe, further attempts are refused for \
         now, even with the right password. Please try again {when}."
    ))
}

/// `in 40 seconds`, `in 3 minutes`: rounded up, so that a retry at that time is accepted.
fn in_words(wait: Duration) -> String {
    match wait.as_secs() {
        0..=1 => "in a second".to_owned(),
        seconds @ 2..=90 => format!("in {seconds} seconds"),
        seconds @ 91..=5_400 => format!("in {} minutes", seconds.div_ceil(60)),
        seconds => format!("in {} hours", seconds.div_ceil(3_600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_words_and_never_too_short() {
        for (seconds, words) in [
            (0, "in a second"),
            (45, "in 45 seconds"),
            (91, "in 2 minutes"),
            (180, "in 3 minutes"),
            (181, "in 4 minutes"),
            (7_201, "in 3 hours"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }
}
