use std::fmt;

use rand::RngCore;

/// The identity of a write: 128 random bits, compared for equality only.
///
/// A version changes at every write and is never reused, across delete and re-create too, so that
/// a condition on it cannot mistake a new value for an old one (no ABA). `expire` keeps it. It is
/// drawn by the writer, which is how a put whose answer was lost can be found again.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version([u8; Self::LEN]);

impl Version {
    /// The length in bytes.
    pub const LEN: usize = 16;

    /// Draws a new version from the thread's cryptographic generator.
    pub fn random() -> Self {
        let mut bytes = [0; Self::LEN];
        rand::rng().fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// Makes the version with these bytes, for backends.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes, for backends.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({:032x})", u128::from_be_bytes(self.0))
    }
}
