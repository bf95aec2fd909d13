use std::fmt;
use std::marker::PhantomData;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use larder_store::{Key, KeyId, Kind};
use sha2::{Digest, Sha256};

use crate::{Result, SessionError};

/// The name and the type of a session field.
///
/// ```
/// use larder_session::SessionKey;
///
/// const VISITS: SessionKey<u32> = SessionKey::new("visits");
/// const LANGUAGE: SessionKey<String> = SessionKey::new("language");
///
/// /// One field for each showing.
/// fn seats(showing: u64) -> SessionKey<Vec<String>> {
///     SessionKey::with_id("seats", showing)
/// }
/// assert_eq!(seats(7).name(), "seats:7");
/// ```
pub struct SessionKey<T> {
    /// Stored inline, so that a key is `Copy` wherever its name comes from.
    name: [u8; MAX],
    length: u8,
    is_counter: bool,
    of: PhantomData<fn() -> T>,
}

/// The limit of a name, in bytes.
const MAX: usize = 64;
/// The limit of the part before the id, in bytes: the space that a hash leaves in a name.
const MAX_FAMILY: usize = MAX - 1 - 43;

/// The field that holds the name of the device.
pub(crate) const DEVICE: SessionKey<String> = SessionKey::own("larder.device");

impl<T> SessionKey<T> {
    /// Makes the field `name`: 1 to 64 bytes that do not begin with `larder.`.
    ///
    /// # Panics
    /// If the name is invalid; in a `const` that is a compile error.
    pub const fn new(name: &'static str) -> Self {
        assert!(
            !name.is_empty() && name.len() <= MAX,
            "the name of a session field must have 1 to 64 bytes"
        );
        assert!(
            !is_own(name.as_bytes()),
            "the name of a session field must not begin with 'larder.'"
        );
        Self::own(name)
    }

    /// Makes the field `name`, for a name that is known only at run time.
    ///
    /// It must have 1 to 64 bytes, no control character, and must not begin with `larder.`. For text that a
    /// visitor chose use [`with_id`](Self::with_id), so that it cannot name another field.
    ///
    /// # Errors
    /// [`SessionErrorKind::Invalid`](crate::SessionErrorKind::Invalid) if the name is invalid.
    pub fn try_new(name: &str) -> Result<Self> {
        let is_short = !name.is_empty() && name.len() <= MAX;
        if !is_short || is_own(name.as_bytes()) || name.contains(char::is_control) {
            return Err(SessionError::invalid(
                "the name of a session field must have 1 to 64 bytes, no control character, and must not \
                 begin with 'larder.'",
            ));
        }
        Ok(Self::own(name))
    }

    /// Makes the field of `id` in a family of fields, named `family:id`.
    ///
    /// Use it for one field per item. The id may be any text: like that of a store's key, it is escaped,
    /// and hashed if the name would exceed 64 bytes, so two ids always have two fields.
    ///
    /// # Panics
    /// If the family does not have 1 to 20 bytes, begins with `larder.` or contains a colon.
    pub fn with_id(family: &'static str, id: impl KeyId) -> Self {
        assert!(
            !family.is_empty() && family.len() <= MAX_FAMILY,
            "the family of a session field must have 1 to 20 bytes"
        );
        assert!(
            !is_own(family.as_bytes()) && !family.contains(':'),
            "the family of a session field must not begin with 'larder.' or contain a colon"
        );
        // As a store writes it, after a kind of one letter: `f:{id}`.
        let key = Key::new(FIELD, id);
        let id = key.as_str();
        let id = id.get(3..id.len() - 1).unwrap_or(id);
        if family.len() + 1 + id.len() <= MAX {
            return Self::own(&format!("{family}:{id}"));
        }
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(id));
        // No escaped id begins with '#' and is this long.
        Self::own(&format!("{family}#{digest}"))
    }

    pub(crate) const fn own(name: &str) -> Self {
        let (from, mut to) = (name.as_bytes(), [0; MAX]);
        let mut at = 0;
        while at < from.len() {
            to[at] = from[at];
            at += 1;
        }
        Self {
            name: to,
            // At most 64.
            length: from.len() as u8,
            is_counter: false,
            of: PhantomData,
        }
    }

    /// Declares the field a counter, which stays readable if values are sealed.
    ///
    /// [`increment`](crate::Session::increment) needs that if the app's values are sealed (feature
    /// `seal`), because the store adds to the number. Without sealing it changes nothing.
    ///
    /// A number that was sealed before the field was declared a counter can still be read, but not incremented: use
    /// another name, or write it once with [`insert`](crate::Session::insert).
    ///
    /// ```
    /// use larder_session::SessionKey;
    ///
    /// const VISITS: SessionKey<u32> = SessionKey::new("visits").as_counter();
    /// ```
    #[must_use]
    pub const fn as_counter(mut self) -> Self {
        self.is_counter = true;
        self
    }

    pub(crate) const fn is_counter(&self) -> bool {
        self.is_counter
    }

    /// Returns the name.
    pub const fn name(&self) -> &str {
        let (name, _) = self.name.split_at(self.length as usize);
        match std::str::from_utf8(name) {
            Ok(name) => name,
            // It was copied from text.
            Err(_) => "",
        }
    }
}

const FIELD: Kind = Kind::evictable("f");

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
        write!(f, "SessionKey({})", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(family: &'static str, id: impl KeyId) -> String {
        SessionKey::<u8>::with_id(family, id).name().to_owned()
    }

    #[test]
    fn a_name_made_at_run_time_is_bounded_and_never_one_of_larders() {
        for wrong in [
            "",
            "larder.device",
            "larder.",
            "a\nb",
            "a\0",
            &"x".repeat(65),
        ] {
            let error = SessionKey::<u8>::try_new(wrong).unwrap_err();
            assert!(error.to_string().contains("1 to 64 bytes"), "{error}");
        }
        for right in ["a", "larder", "größe", &"x".repeat(64)] {
            assert_eq!(SessionKey::<u8>::try_new(right).unwrap().name(), right);
        }
    }

    #[test]
    fn an_id_is_escaped_so_that_two_ids_have_two_fields() {
        let long = |at: char| format!("{}{at}", "x".repeat(200));
        let ids = [
            "",
            "a",
            "a:b",
            "a}",
            "{a",
            "larder.device",
            "%",
            "#",
            "a/b",
            "é",
            "a b",
            "}",
            "f:{a}",
        ];
        let mut names: Vec<_> = ids.into_iter().map(|id| named("draft", id)).collect();
        names.extend([named("draft", ("a", "b")), named("draft", 7_u64)]);
        names.extend([named("draft", &*long('a')), named("draft", &*long('b'))]);
        names.extend([
            named("draft", "x".repeat(58)),
            named("draft", "x".repeat(59)),
        ]);
        for name in &names {
            assert!(name.len() <= 64, "{name}");
            assert!(
                name.starts_with("draft:") || name.starts_with("draft#"),
                "{name}"
            );
            assert!(!name.contains(char::is_control), "{name}");
        }
        let visits = SessionKey::<u8>::new("visits");
        assert_eq!(format!("{visits:?}"), "SessionKey(visits)");
        let longest = "x".repeat(58);
        assert_eq!(named("draft", &*longest), format!("draft:{longest}"));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "{names:?}");
    }

    #[test]
    #[should_panic(expected = "1 to 20 bytes")]
    fn a_family_leaves_room_for_a_hash() {
        let _ = SessionKey::<u8>::with_id("a_name_of_21_bytes_xx", 1_u8);
    }
}
