use std::fmt;
use std::marker::PhantomData;

/// The name and the type of one field of a session, for constants.
///
/// ```
/// use larder_session::SessionKey;
///
/// const VISITS: SessionKey<u32> = SessionKey::new("visits");
/// const LANGUAGE: SessionKey<String> = SessionKey::new("language");
/// ```
pub struct SessionKey<T> {
    name: &'static str,
    of: PhantomData<fn() -> T>,
}

/// The name that a user knows a device by.
pub(crate) const DEVICE: SessionKey<String> = SessionKey::own("larder.device");

impl<T> SessionKey<T> {
    /// The field `name`: 1 to 64 bytes that do not begin with `larder.`.
    ///
    /// # Panics
    /// Where the name has another form; in a `const` that is a compile error.
    pub const fn new(name: &'static str) -> Self {
        assert!(
            !name.is_empty() && name.len() <= 64,
            "the name of a field is 1 to 64 bytes"
        );
        assert!(
            !is_own(name.as_bytes()),
            "the name of a field does not begin with 'larder.'"
        );
        Self::own(name)
    }

    const fn own(name: &'static str) -> Self {
        Self {
            name,
            of: PhantomData,
        }
    }

    /// The name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

const fn is_own(name: &[u8]) -> bool {
    matches!(name, [b'l', b'a', b'r', b'd', b'e', b'r', b'.', ..])
}

impl<T> Clone for SessionKey<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SessionKey<T> {}

impl<T> fmt::Debug for SessionKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKey({})", self.name)
    }
}
