use sqlx::SqlitePool;

use super::{Email, Passwords};
use crate::db;
use crate::errors::StartError;

/// An account that is there in a development environment, and nowhere else.
pub(crate) struct DemoAccount {
    pub(crate) email: &'static str,
    pub(crate) name: &'static str,
    pub(crate) password: &'static str,
    pub(crate) is_admin: bool,
}

/// Two visitors, and one who runs the house.
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
