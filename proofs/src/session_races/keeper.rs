//! One instance that keeps sessions, as a race uses it.

use std::collections::BTreeMap;

use async_trait::async_trait;

/// The fields of a session.
pub const FIELDS: [&str; 3] = ["cart", "language", "step"];

/// One instance of an app that keeps sessions.
#[async_trait]
pub trait Keeper: Send + Sync {
    /// Answers a request with this cookie. It waits `pause` turns between what it reads and what it does.
    async fn answer(&self, cookie: Option<String>, act: Act, pause: u8) -> Reply;

    /// Ends all sessions of a user.
    async fn revoke_all(&self, user: &str);

    /// Ends all sessions of a user, and refuses further ones.
    async fn disable(&self, user: &str);

    /// Ends the sessions of all users.
    async fn revoke_everyone(&self);
}

/// What a request does.
#[derive(Clone, Debug)]
pub enum Act {
    /// Signs a user in.
    SignIn(String),
    /// Sets a field.
    Write(&'static str, String),
    /// Only looks, which is a use: it extends the session.
    Read,
    /// Replaces the id.
    Rotate,
    /// Signs out.
    SignOut,
}

/// What a request saw, and the cookie that its browser has afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The cookie.
    pub cookie: Option<String>,
    /// The user, before the request did anything.
    pub user: Option<String>,
    /// The fields, likewise.
    pub fields: BTreeMap<&'static str, String>,
}

/// Lets other tasks run, this many times.
pub async fn wait(turns: u8) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}
