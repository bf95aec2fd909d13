use std::sync::Arc;

use larder::Store;
use larder::session::Sessions;
use sqlx::SqlitePool;

use super::attempts::Attempts;
use super::{Passwords, admin, demo};
use crate::config::{Config, DemoAccounts};
use crate::errors::StartError;

/// What signing in needs.
#[derive(Clone)]
pub(crate) struct Accounts {
    pub(super) passwords: Passwords,
    pub(super) attempts: Attempts,
    pub(super) demo: DemoAccounts,
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
            demo::add_demo_accounts(pool, &passwords).await?;
        }
        if let Some(account) = &config.admin
            && let Some(id) = admin::ensure(pool, &passwords, account).await?
        {
            sessions.revoke_all(&id.to_string()).await?;
        }
        Ok(Self {
            passwords,
            attempts: Attempts::new(config, store)?,
            demo,
        })
    }
}
