use std::fmt;
use std::sync::Arc;

use larder_store::{IdWriter, KeyId};

use crate::{Error, Result};

/// Who is signed in: text of the app's own, such as the key of a row. 1 to 256 bytes.
///
/// `Debug` hides it, since it belongs in no log, and for the same reason there is no `Display`: use
/// [`as_str`](Self::as_str) where it is to be shown. It names the user in keys too, as a
/// [`KeyId`], for a cache or a rate limit by user.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UserId(Arc<str>);

const MAX: usize = 256;

impl UserId {
    /// The user that the app calls `id`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) where it is not 1 to 256 bytes.
    pub fn new(id: impl Into<Arc<str>>) -> Result<Self> {
        let id = id.into();
        if id.is_empty() || id.len() > MAX {
            return Err(Error::invalid("the id of a user is 1 to 256 bytes"));
        }
        Ok(Self(id))
    }

    /// The id, as the app gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn shared(&self) -> &Arc<str> {
        &self.0
    }

    /// A user who was read from a session.
    pub(crate) fn read(id: &Arc<str>) -> Self {
        Self(id.clone())
    }
}

impl AsRef<str> for UserId {
    fn as_ref(&self) -> &str {
        &self.0
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
