use axum::extract::FromRef;
use larder::session::Sessions;
use sqlx::SqlitePool;

use crate::accounts::Attempts;
use crate::db;
use crate::errors::Problem;

/// The accounts, the sessions of their users, and the limits on wrong passwords.
#[derive(Clone)]
pub(crate) struct AccountsDesk {
    pub(super) pool: SqlitePool,
    sessions: Sessions,
    pub(super) attempts: Attempts,
}

/// Handlers of this feature, and their [`Admin`](crate::accounts::Admin), read the same database.
impl FromRef<AccountsDesk> for SqlitePool {
    fn from_ref(desk: &AccountsDesk) -> Self {
        desk.pool.clone()
    }
}

impl AccountsDesk {
    pub(crate) fn new(pool: SqlitePool, sessions: Sessions, attempts: Attempts) -> Self {
        Self {
            pool,
            sessions,
            attempts,
        }
    }

    pub(super) async fn account(&self, id: i64) -> Result<db::Account, Problem> {
        let account = db::account(&self.pool, id).await?;
        account.ok_or_else(|| Problem::not_found("No account has this number."))
    }

    /// Disables or enables an account, but not an administrator's.
    ///
    /// The store comes first: if it fails, the database still says what the page offers to change, and the
    /// administrator can try again.
    pub(super) async fn set_disabled(&self, id: i64, is_disabled: bool) -> Result<(), Problem> {
        let no_such = || Problem::not_found("There is no such account to disable.");
        let account = db::account(&self.pool, id).await?;
        if account.is_none_or(|account| account.is_admin) {
            return Err(no_such());
        }
        let user = id.to_string();
        match is_disabled {
            true => self.sessions.disable(&user).await?,
            false => self.sessions.enable(&user).await?,
        }
        let done = db::set_disabled(&self.pool, id, is_disabled).await;
        if is_disabled && !matches!(done, Ok(true)) {
            // The page will offer to disable the account, so it must not stay disabled in the store.
            if let Err(error) = self.sessions.enable(&user).await {
                tracing::error!(%error, account = id, "an account is disabled in the store alone");
            }
        }
        match done? {
            true => Ok(()),
            false => Err(no_such()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use axum::routing::get;
    use larder::Store;
    use larder::moka::MokaStore;
    use larder::session::Session;
    use larder::store::ErrorKind;
    use larder_test::faulty::{Faulty, Switch, Trouble};
    use tower::ServiceExt;

    use super::*;
    use crate::accounts::Accounts;
    use crate::config::Config;
    use crate::sessions;

    /// Ada has the first account that is not an administrator's.
    const ADA: i64 = 1;

    struct Scene {
        desk: AccountsDesk,
        /// Signs Ada in.
        door: Router,
        trouble: Switch,
    }

    impl Scene {
        async fn open() -> Self {
            let (config, pool) = (
                Config::default(),
                db::open("sqlite::memory:").await.unwrap(),
            );
            let store = Faulty::new(Arc::new(MokaStore::new()));
            let (trouble, store) = (store.switch(), Arc::new(store) as Arc<dyn Store>);
            let sessions = sessions::sessions(store.clone()).unwrap();
            let accounts = Accounts::open(&config, &pool, &store, &sessions);
            let accounts = accounts.await.unwrap();
            let door = get(async |session: Session| {
                let signed_in = session.log_in(ADA.to_string()).await;
                signed_in.map_err(|_| StatusCode::FORBIDDEN)
            });
            let layer = sessions::layer(&config, sessions.clone()).unwrap();
            Self {
                desk: AccountsDesk::new(pool, sessions, accounts.attempts()),
                door: Router::new().route("/", door).layer(layer),
                trouble,
            }
        }

        async fn sign_in(&self) -> StatusCode {
            let request = Request::get("/").body(Body::empty()).unwrap();
            self.door.clone().oneshot(request).await.unwrap().status()
        }

        async fn devices(&self) -> usize {
            let devices = self.desk.sessions.devices(&ADA.to_string()).await;
            devices.unwrap().len()
        }

        async fn is_listed_as_disabled(&self) -> bool {
            self.desk.account(ADA).await.unwrap().is_disabled
        }

        async fn fails(&self, is_disabled: bool) {
            let fails = Trouble::Fail(ErrorKind::NotSent);
            self.trouble.set(fails);
            let failed = self.desk.set_disabled(ADA, is_disabled).await;
            let status = failed.unwrap_err().status();
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
            self.trouble.clear();
        }
    }

    #[tokio::test]
    async fn while_the_store_fails_the_list_still_offers_what_was_not_done() {
        let scene = Scene::open().await;
        assert_eq!(scene.sign_in().await, StatusCode::OK);
        scene.fails(true).await;
        assert!(!scene.is_listed_as_disabled().await);
        assert_eq!(scene.devices().await, 1);
        scene.desk.set_disabled(ADA, true).await.unwrap();
        assert!(scene.is_listed_as_disabled().await);
        assert_eq!(scene.devices().await, 0);
        assert_eq!(scene.sign_in().await, StatusCode::FORBIDDEN);

        scene.fails(false).await;
        assert!(scene.is_listed_as_disabled().await);
        assert_eq!(scene.sign_in().await, StatusCode::FORBIDDEN);
        scene.desk.set_disabled(ADA, false).await.unwrap();
        assert!(!scene.is_listed_as_disabled().await);
        assert_eq!(scene.sign_in().await, StatusCode::OK);
    }

    #[tokio::test]
    async fn an_account_that_the_database_does_not_disable_may_sign_in_again() {
        let scene = Scene::open().await;
        let fails =
            "CREATE TRIGGER fails BEFORE UPDATE ON users BEGIN SELECT RAISE(FAIL, 'full'); END";
        sqlx::query(fails).execute(&scene.desk.pool).await.unwrap();
        let failed = scene.desk.set_disabled(ADA, true).await.unwrap_err();
        assert_eq!(failed.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(!scene.is_listed_as_disabled().await);
        assert_eq!(scene.sign_in().await, StatusCode::OK);
    }

    #[tokio::test]
    async fn no_administrator_is_disabled() {
        let scene = Scene::open().await;
        let accounts = db::all_accounts(&scene.desk.pool).await.unwrap();
        let admin = accounts.iter().find(|account| account.is_admin).unwrap();
        for id in [admin.id, 99_999] {
            let refused = scene.desk.set_disabled(id, true).await.unwrap_err();
            assert_eq!(refused.status(), StatusCode::NOT_FOUND);
            let user = id.to_string();
            assert!(!scene.desk.sessions.is_disabled(&user).await.unwrap());
        }
    }
}
