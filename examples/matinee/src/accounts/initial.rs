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

/// Makes the account named by the settings an administrator's, with the password from the settings.
///
/// If anything has to change, the account is enabled, and anybody who knew an earlier password is signed out.
/// Otherwise it writes nothing, so several processes may start at once.
///
/// The account is disabled until everybody is signed out. So no session of an earlier password is left, whatever
/// fails in between: the next start finds the account disabled, and does all of it again.
pub(super) async fn ensure_admin(
    pool: &SqlitePool,
    passwords: &Passwords,
    sessions: &Sessions,
    admin: &AdminAccount,
) -> Result<(), StartError> {
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
    }
    let hash = passwords.hash(&admin.password)?;
    let id = db::close_account(pool, &admin.email).await?;
    let user = id.to_string();
    sessions.revoke_all(&user).await?;
    sessions.enable(&user).await?;
    Ok(db::open_admin(pool, id, &hash).await?)
}

/// Makes every administrator but the one of the settings a visitor. Demo accounts stay what they are.
pub(super) async fn dismiss_others(
    pool: &SqlitePool,
    sessions: &Sessions,
    admin: Option<&AdminAccount>,
) -> Result<(), StartError> {
    for id in db::other_admins(pool, admin.map(|admin| &admin.email)).await? {
        // First: if the store fails, nothing has changed, and the next start tries again.
        sessions.revoke_all(&id.to_string()).await?;
        db::dismiss_admin(pool, id).await?;
        tracing::warn!(account = id, "this account is no longer an administrator's");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use larder::Store;
    use larder::moka::MokaStore;

    use super::*;
    use crate::accounts::Accounts;
    use crate::config::Config;
    use crate::sessions;

    const FIRST: &str = "first@example.org";
    const SECOND: &str = "second@example.org";

    /// Starts an app whose administrator has this email.
    async fn start(pool: &SqlitePool, email: Option<&str>) -> Result<(), StartError> {
        let password = email.map(|_| "correct horse battery".to_owned());
        let config = Config {
            admin: AdminAccount::parse(email.map(str::to_owned), password).unwrap(),
            ..Config::default()
        };
        let store: Arc<dyn Store> = Arc::new(MokaStore::new());
        let sessions = sessions::sessions(store.clone()).unwrap();
        let opened = Accounts::open(&config, pool, &store, &sessions).await;
        opened.map(drop)
    }

    async fn is_admin(pool: &SqlitePool, email: &str) -> bool {
        let account = db::account_by_email(pool, &Email::new(email)).await;
        account.unwrap().unwrap().is_admin
    }

    #[tokio::test]
    async fn without_the_setting_the_former_administrator_is_a_visitor() {
        let pool = db::open("sqlite::memory:").await.unwrap();
        start(&pool, Some(FIRST)).await.unwrap();
        assert!(is_admin(&pool, FIRST).await);
        start(&pool, None).await.unwrap();
        assert!(!is_admin(&pool, FIRST).await);
    }

    #[tokio::test]
    async fn the_former_administrator_stays_until_there_is_a_new_one() {
        let pool = db::open("sqlite::memory:").await.unwrap();
        start(&pool, Some(FIRST)).await.unwrap();
        let fails =
            "CREATE TRIGGER fails BEFORE INSERT ON users BEGIN SELECT RAISE(FAIL, 'full'); END";
        sqlx::query(fails).execute(&pool).await.unwrap();
        assert!(start(&pool, Some(SECOND)).await.is_err());
        assert!(is_admin(&pool, FIRST).await);
        sqlx::query("DROP TRIGGER fails")
            .execute(&pool)
            .await
            .unwrap();
        start(&pool, Some(SECOND)).await.unwrap();
        assert!(is_admin(&pool, SECOND).await && !is_admin(&pool, FIRST).await);
    }
}
