//! The accounts that exist from the start.

use larder::session::Sessions;
use sqlx::SqlitePool;

use super::{Email, Passwords};
use crate::config::AdminAccount;
use crate::db;
use crate::errors::StartError;

/// An account that exists only in a development environment.
pub(crate) struct DemoAccount {
    pub(crate) email: &'static str,
    pub(crate) name: &'static str,
    pub(crate) password: &'static str,
    pub(crate) is_admin: bool,
}

/// Two visitors and an administrator.
pub(crate) const DEMO_ACCOUNTS: [DemoAccount; 3] = [
    DemoAccount {
        email: "ada@matinee.example",
        name: "Ada",
        password: "front-row-centre",
        is_admin: false,
    },
    DemoAccount {
        email: "grace@matinee.example",
        name: "Grace",
        password: "back-row-corner",
        is_admin: false,
    },
    DemoAccount {
        email: "admin@matinee.example",
        name: "The projectionist",
        password: "lights-camera-admin",
        is_admin: true,
    },
];

/// Adds the demo accounts that are missing. Several processes may do it at once.
pub(super) async fn add_demo_accounts(
    pool: &SqlitePool,
    passwords: &Passwords,
) -> Result<(), StartError> {
    for demo in DEMO_ACCOUNTS {
        let email = Email::new(demo.email);
        if db::account_by_email(pool, &email).await?.is_none() {
            let hash = passwords.hash(demo.password)?;
            db::add_demo_account(pool, &email, &demo, &hash).await?;
        }
    }
    Ok(())
}

/// Makes the account named by the settings an administrator's, with the password from the settings, and no other
/// account but the demo's.
///
/// If anything has to change, the account is enabled, and anybody who knew an earlier password is signed out.
/// Otherwise it writes nothing, so several processes may start at once.
pub(super) async fn ensure_admin(
    pool: &SqlitePool,
    passwords: &Passwords,
    sessions: &Sessions,
    admin: &AdminAccount,
) -> Result<(), StartError> {
    for id in db::other_admins(pool, &admin.email).await? {
        // First: if the store fails, nothing has changed, and the next start tries again.
        sessions.revoke_all(&id.to_string()).await?;
        db::dismiss_admin(pool, id).await?;
        tracing::warn!(account = id, "this account is no longer an administrator's");
    }
    let account = db::account_by_email(pool, &admin.email).await?;
    if let Some(account) = account {
        let user = account.id.to_string();
        let is_as_set = account.is_admin
            && !account.is_demo
            && !account.is_disabled
            && passwords.matches(&admin.password, &account.password_hash);
        // A damaged record in the store counts as that of a disabled account.
        if is_as_set && !sessions.is_disabled(&user).await.unwrap_or(false) {
            return Ok(());
        }
        // First, for the same reason.
        sessions.revoke_all(&user).await?;
        sessions.enable(&user).await?;
    }
    let hash = passwords.hash(&admin.password)?;
    let id = db::put_admin(pool, &admin.email, &hash).await?;
    // Somebody may have signed in meanwhile with an earlier password.
    sessions.revoke_all(&id.to_string()).await?;
    Ok(())
}
