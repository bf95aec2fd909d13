//! Accounts: signing in and out, devices, and extractors for users and administrators.

mod account;
mod attempts;
mod change_email;
mod device_name;
mod email;
mod initial;
mod next;
mod passwords;
mod sign_in;
mod signed_in;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, map_response};
use axum::routing::{get, post};
use larder::Store;
use larder::rate_limit::RateLimiter;
use larder::session::Sessions;
use sqlx::SqlitePool;

pub(crate) use self::attempts::{Attempts, Help, Standing, in_words};
pub(crate) use self::email::Email;
pub(crate) use self::initial::{DEMO_ACCOUNTS, DemoAccount};
use self::passwords::Passwords;
pub(crate) use self::signed_in::{Admin, SignedIn, again as sign_in_again};
use crate::config::{Config, DemoAccounts};
use crate::errors::StartError;
use crate::headers;
use crate::to_the_end::to_the_end;

/// The users' accounts: passwords, and limits on wrong ones and on changes of the email.
#[derive(Clone)]
pub(crate) struct Accounts {
    pool: SqlitePool,
    sessions: Sessions,
    passwords: Passwords,
    attempts: Attempts,
    email_changes: RateLimiter,
    demo: DemoAccounts,
    reauth_after: Duration,
}

impl Accounts {
    /// Brings the accounts up to date with the settings, and builds the limits.
    pub(crate) async fn open(
        config: &Config,
        pool: &SqlitePool,
        store: &Arc<dyn Store>,
        sessions: &Sessions,
    ) -> Result<Self, StartError> {
        let passwords = Passwords::new()?;
        let demo = config.demo_accounts();
        if demo == DemoAccounts::Open {
            initial::add_demo_accounts(pool, &passwords).await?;
        }
        if let Some(admin) = &config.admin {
            initial::ensure_admin(pool, &passwords, sessions, admin).await?;
        }
        // Last, so that there is always an administrator.
        initial::dismiss_others(pool, sessions, config.admin.as_ref()).await?;
        Ok(Self {
            pool: pool.clone(),
            sessions: sessions.clone(),
            passwords,
            attempts: Attempts::new(config, store)?,
            email_changes: RateLimiter::new(store.clone(), "email-changes", change_email::TRIES)?,
            demo,
            reauth_after: config.reauth_after.into(),
        })
    }

    /// The limits on wrong passwords, for the support desk.
    pub(crate) fn attempts(&self) -> Attempts {
        self.attempts.clone()
    }
}

pub(crate) fn routes(accounts: Accounts) -> Router {
    let submit = post(sign_in::submit).layer(from_fn(to_the_end));
    Router::new()
        .route("/sign-in", get(sign_in::form).merge(submit))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/account", get(account::show))
        .route("/account/email", post(change_email::submit))
        .route("/account/revoke", post(account::revoke))
        .route("/account/revoke-others", post(account::revoke_others))
        .route("/account/revoke-all", post(account::revoke_all))
        .layer(map_response(headers::personal))
        .with_state(accounts)
}
