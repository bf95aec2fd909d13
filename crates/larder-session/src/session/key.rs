use std::fmt;
use std::marker::PhantomData;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use larder_store::{Key, KeyId, Kind};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// The name and the type of one field of a session.
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
    /// In place, so that a key is `Copy` wherever its name is from.
    name: [u8; MAX],
    length: u8,
    of: PhantomData<fn() -> T>,
}

/// How long a name may be, in bytes.
const MAX: usize = 64;
/// How long the part before the id may be: as much as a hash leaves of a name.
const MAX_FAMILY: usize = MAX - 1 - 43;

/// The name that a user knows a device by.
pub(crate) const DEVICE: SessionKey<String> = SessionKey::own("larder.device");

impl<T> SessionKey<T> {
    /// The field `name`: 1 to 64 bytes that do not begin with `larder.`.
    ///
    /// # Panics
    /// If the name has another form; in a `const` that is a compile error.
    pub const fn new(name: &'static str) -> Self {
        assert!(
            !name.is_empty() && name.len() <= MAX,
            "the name of a field is 1 to 64 bytes"
        );
        assert!(
            !is_own(name.as_bytes()),
            "the name of a field does not begin with 'larder.'"
        );
        Self::own(name)
    }

    /// The field `name`, where the name is known only at run time: 1 to 64 bytes that do not begin with
    /// `larder.` and hold no control character.
    ///
    /// Take [`with_id`](Self::with_id) for text that a visitor chose, so that it names no other field.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the name has another form.
    pub fn try_new(name: &str) -> Result<Self> {
        let is_short = !name.is_empty() && name.len() <= MAX;
        if !is_short || is_own(name.as_bytes()) || name.contains(char::is_control) {
            return Err(Error::invalid(
                "the name of a field is 1 to 64 bytes without a control character, and does not begin \
                 with 'larder.'",
            ));
        }
        Ok(Self::own(name))
    }

    /// The field of `id` in the family `family`, named `family:id`: for one field for each of many
    /// things. The id may be anything, as in the key of a store: it is escaped, and hashed where the name
    /// would pass 64 bytes, so that two ids have two fields.
    ///
    /// # Panics
    /// If the family is not 1 to 20 bytes, begins with `larder.` or holds a colon.
    pub fn with_id(family: &'static str, id: impl KeyId) -> Self {
        assert!(
            !family.is_empty() && family.len() <= MAX_FAMILY,
            "the family of a field is 1 to 20 bytes"
        );
        assert!(
            !is_own(family.as_bytes()) && !family.contains(':'),
            "the family of a field does not begin with 'larder.' and holds no colon"
        );
        // As a store writes it, behind a kind of one letter: `f:{id}`.
        let key = Key::new(FIELD, id);
        let id = key.as_str();
        let id = id.get(3..id.len() - 1).unwrap_or(id);
        if family.len() + 1 + id.len() <= MAX {
            return Self::own(&format!("{family}:{id}"));
        }
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(id));
        // No escaped id holds a '#' in front and is so long.
        Self::own(&format!("{family}#{digest}"))
    }

    const fn own(name: &str) -> Self {
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
            of: PhantomData,
        }
    }

    /// The name.
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
    fn a_name_made_at_run_time_is_bounded_and_never_one_of_larders_own() {
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
