use std::fmt;
use std::sync::Arc;

use larder_store::{IdWriter, KeyId};

use crate::{Result, SessionError};

/// The id of a user, as the app knows it: text of 1 to 256 bytes, such as a primary key.
///
/// `Debug` hides the id, because it does not belong in logs, and there is no `Display`: use
/// [`as_str`](Self::as_str) to show it. It is a [`KeyId`], so a cache or a rate limit can have one key
/// per user.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UserId(Arc<str>);

const MAX: usize = 256;

impl UserId {
    /// Wraps the app's id of a user.
    ///
    /// # Errors
    /// [`SessionErrorKind::Invalid`](crate::SessionErrorKind::Invalid) if it is not 1 to 256 bytes.
    pub fn new(id: impl Into<Arc<str>>) -> Result<Self> {
        let id = id.into();
        if id.is_empty() || id.len() > MAX {
            return Err(SessionError::invalid("a user id must have 1 to 256 bytes"));
        }
        Ok(Self(id))
    }

    /// Returns the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn shared(&self) -> &Arc<str> {
        &self.0
    }

    /// Makes a user id that was read from a session, and so was checked before.
    pub(crate) fn read(id: &Arc<str>) -> Self {
        Self(id.clone())
    }
}

impl AsRef<str> for UserId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<UserId> for Arc<str> {
    fn from(user: UserId) -> Self {
        user.0
    }
}

impl KeyId for UserId {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        id.text(&self.0);
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserId(..)")
    }
}
