//! The table of users.

use sqlx::SqlitePool;

use super::writers;
use crate::accounts::{DemoAccount, Email};

/// A row of the table of users. `Debug` shows neither the address nor the hash.
#[derive(Clone, sqlx::FromRow)]
pub(crate) struct Account {
    pub(crate) id: i64,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) password_hash: String,
    pub(crate) is_admin: bool,
    pub(crate) is_demo: bool,
    pub(crate) is_disabled: bool,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

pub(crate) async fn account(pool: &SqlitePool, id: i64) -> Result<Option<Account>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, email, name, password_hash, is_admin, is_demo, is_disabled FROM users
         WHERE id = ?",
    )
    .bind(id)
    .fetch_optional(pool)
    .await
}

pub(crate) async fn account_by_email(
    pool: &SqlitePool,
    email: &Email,
) -> Result<Option<Account>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, email, name, password_hash, is_admin, is_demo, is_disabled FROM users
         WHERE email = ?",
    )
    .bind(email.as_str())
    .fetch_optional(pool)
    .await
}

/// Adds a demo account, unless its address is taken.
pub(crate) async fn add_demo_account(
    pool: &SqlitePool,
    email: &Email,
    demo: &DemoAccount,
    password_hash: &str,
) -> Result<(), sqlx::Error> {
    let _turn = writers::turn().await?;
    sqlx::query(
        "INSERT INTO users (email, name, password_hash, is_admin, is_demo) VALUES (?, ?, ?, ?, 1)
         ON CONFLICT (email) DO NOTHING",
    )
    .bind(email.as_str())
    .bind(demo.name)
    .bind(password_hash)
    .bind(demo.is_admin)
    .execute(pool)
    .await
    .map(drop)
}

/// Disables the account with this email, or makes one that is disabled, and returns its id.
pub(crate) async fn close_account(pool: &SqlitePool, email: &Email) -> Result<i64, sqlx::Error> {
    let _turn = writers::turn().await?;
    sqlx::query_scalar(
        "INSERT INTO users (email, name, password_hash, is_disabled) VALUES (?, 'Admin', '', 1)
         ON CONFLICT (email) DO UPDATE SET is_disabled = 1
         RETURNING id",
    )
    .bind(email.as_str())
    .fetch_one(pool)
    .await
}

/// Makes this account an administrator's, enabled and with this password.
pub(crate) async fn open_admin(
    pool: &SqlitePool,
    id: i64,
    password_hash: &str,
) -> Result<(), sqlx::Error> {
    let _turn = writers::turn().await?;
    sqlx::query(
        "UPDATE users SET password_hash = ?, is_admin = 1, is_demo = 0, is_disabled = 0 WHERE id = ?",
    )
    .bind(password_hash)
    .bind(id)
    .execute(pool)
    .await
    .map(drop)
}

/// Returns the ids of the administrators who are not demo accounts, except the one with this email, if any.
pub(crate) async fn other_admins(
    pool: &SqlitePool,
    email: Option<&Email>,
) -> Result<Vec<i64>, sqlx::Error> {
    // Any email differs from NULL.
    sqlx::query_scalar("SELECT id FROM users WHERE is_admin = 1 AND is_demo = 0 AND email IS NOT ?")
        .bind(email.map(Email::as_str))
        .fetch_all(pool)
        .await
}

/// Makes the account of an administrator that of a visitor.
pub(crate) async fn dismiss_admin(pool: &SqlitePool, id: i64) -> Result<(), sqlx::Error> {
    let _turn = writers::turn().await?;
    sqlx::query("UPDATE users SET is_admin = 0 WHERE id = ?")
        .bind(id)
        .execute(pool)
        .await
        .map(drop)
}

/// Returns the first accounts, ordered by their address: as many as fit on one page.
pub(crate) async fn all_accounts(pool: &SqlitePool) -> Result<Vec<Account>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, email, name, password_hash, is_admin, is_demo, is_disabled FROM users
         ORDER BY email LIMIT 500",
    )
    .fetch_all(pool)
    .await
}

/// Disables or enables an account. Returns false if there is none, or if it is an administrator's.
pub(crate) async fn set_disabled(
    pool: &SqlitePool,
    id: i64,
    is_disabled: bool,
) -> Result<bool, sqlx::Error> {
    let _turn = writers::turn().await?;
    let done = sqlx::query("UPDATE users SET is_disabled = ? WHERE id = ? AND is_admin = 0")
        .bind(is_disabled)
        .bind(id)
        .execute(pool)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// The outcome of a change of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EmailChange {
    Done,
    /// Another account has the address.
    Taken,
}

pub(crate) async fn change_email(
    pool: &SqlitePool,
    id: i64,
    email: &Email,
) -> Result<EmailChange, sqlx::Error> {
    let _turn = writers::turn().await?;
    let changed = sqlx::query("UPDATE users SET email = ? WHERE id = ?")
        .bind(email.as_str())
        .bind(id)
        .execute(pool)
        .await;
    match changed {
        Ok(_) => Ok(EmailChange::Done),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(EmailChange::Taken),
        Err(error) => Err(error),
    }
}
