use sqlx::SqlitePool;

use super::Passwords;
use crate::config::AdminAccount;
use crate::db;
use crate::errors::StartError;

/// Makes the account of the settings one that runs the house, with the password of the settings.
///
/// The id, if the password is another one than before: whoever knew that one is to be signed out.
/// Where nothing is to be changed nothing is written, so several processes may start at once.
pub(super) async fn ensure(
    pool: &SqlitePool,
    passwords: &Passwords,
    admin: &AdminAccount,
) -> Result<Option<i64>, StartError> {
    let account = db::account_by_email(pool, &admin.email).await?;
    let is_as_set = account.is_some_and(|account| {
        account.is_admin
            && !account.is_demo
            && passwords.matches(&admin.password, &account.password_hash)
    });
    if is_as_set {
        return Ok(None);
    }
    let hash = passwords.hash(&admin.password)?;
    let id = db::put_admin(pool, &admin.email, &hash).await?;
    Ok(Some(id))
}
