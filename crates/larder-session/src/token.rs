//! The id of a session, and the secret in its cookie.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use larder_store::program::{Arg, Args, FromWire, Wire};
use larder_store::{IdWriter, KeyId};
use rand::RngCore;
use sha2::{Digest, Sha256};

use crate::SessionError;

/// The stable id of a session: 128 random bits, 22 characters of base64url.
///
/// It identifies the session in a list of devices, and revokes it. It is not a secret and opens nothing: a cookie
/// needs the secret too. `Debug` hides it, because it does not belong in logs; `Display` and `FromStr` are for
/// forms.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId([u8; 16]);

impl DeviceId {
    pub(crate) fn random() -> Self {
        Self(random())
    }

    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        decode(text).map(Self)
    }

    pub(crate) const fn bytes(self) -> [u8; 16] {
        self.0
    }

    pub(crate) fn text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl KeyId for DeviceId {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        id.base64url(&self.0);
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceId(..)")
    }
}

impl FromStr for DeviceId {
    type Err = SessionError;

    /// # Errors
    /// [`SessionErrorKind::Invalid`](crate::SessionErrorKind::Invalid) if the text is not 22 characters of base64url.
    fn from_str(text: &str) -> Result<Self, SessionError> {
        Self::parse(text.as_bytes()).ok_or_else(|| {
            SessionError::invalid("a device id must have 22 characters of base64url")
        })
    }
}

impl Arg for DeviceId {
    fn write(&self, args: &mut Args) {
        args.text(&self.text());
    }
}

impl FromWire for DeviceId {
    fn from_wire(wire: Wire) -> larder_store::Result<Self> {
        Self::parse(&wire.bytes()?).ok_or_else(|| Wire::unexpected("the id of a session"))
    }
}

/// The key of a user's record: the first half of a hash of the user's id.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct UserTag([u8; 16]);

impl UserTag {
    pub(crate) fn of(user: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(b"larder-session-user:")
            .chain_update(user)
            .finalize();
        let mut tag = [0; 16];
        tag.copy_from_slice(&digest[..16]);
        Self(tag)
    }

    pub(crate) const fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl KeyId for UserTag {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        id.base64url(&self.0);
    }
}

/// The SHA-256 of a cookie's part after the dot, which is all that a store keeps of it.
pub(crate) type SecretHash = [u8; 32];

/// The content of a cookie: `record.secret`.
///
/// The secret is 128 random bits, followed by the tag of the user if somebody is signed in. The hash
/// covers both, so a visitor cannot point a session at another user's record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) record: DeviceId,
    pub(crate) user: Option<UserTag>,
    secret: [u8; 16],
}

impl Token {
    /// The limit of a cookie's value, in octets.
    pub(crate) const MAX_LENGTH: usize = 22 + 1 + 43;

    /// Makes a new secret for `record`.
    pub(crate) fn random(record: DeviceId, user: Option<UserTag>) -> Self {
        Self {
            record,
            user,
            secret: random(),
        }
    }

    /// Parses the value of a cookie. None unless it has exactly the form that `encode` gives.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (record, secret) = (text.get(..22)?, text.get(23..)?);
        if text[22] != b'.' {
            return None;
        }
        let record = DeviceId::parse(record)?;
        match secret.len() {
            22 => Some(Self {
                record,
                user: None,
                secret: decode(secret)?,
            }),
            43 => {
                let both: [u8; 32] = decode(secret)?;
                let (mut secret, mut tag) = ([0; 16], [0; 16]);
                secret.copy_from_slice(&both[..16]);
                tag.copy_from_slice(&both[16..]);
                Some(Self {
                    record,
                    user: Some(UserTag(tag)),
                    secret,
                })
            }
            _ => None,
        }
    }

    /// Returns the value of the cookie.
    pub(crate) fn encode(&self) -> String {
        let mut text = self.record.text();
        text.push('.');
        let (bytes, length) = self.behind_the_dot();
        URL_SAFE_NO_PAD.encode_string(&bytes[..length], &mut text);
        text
    }

    pub(crate) fn hash(&self) -> SecretHash {
        let (bytes, length) = self.behind_the_dot();
        Sha256::digest(&bytes[..length]).into()
    }

    /// Returns the secret and the tag of the user, if there is one, and the length of both.
    fn behind_the_dot(&self) -> ([u8; 32], usize) {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.secret);
        let Some(UserTag(tag)) = self.user else {
            return (bytes, 16);
        };
        bytes[16..].copy_from_slice(&tag);
        (bytes, 32)
    }
}

/// Draws from the thread's cryptographic generator, which the system seeds.
pub(crate) fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// Decodes base64url strictly: without padding, other characters or surplus bits.
fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; 48];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    bytes[..length].try_into().ok()
}

#[cfg(test)]
mod tests {
    use larder_store::{Key, Kind};
    use proptest::prelude::*;

    use super::*;

    fn token(user: Option<&str>) -> Token {
        Token::random(DeviceId::random(), user.map(UserTag::of))
    }

    #[test]
    fn a_cookie_is_record_and_secret_and_reads_back() {
        for (user, length) in [(None, 45), (Some("ada"), 66)] {
            let token = token(user);
            let text = token.encode();
            assert_eq!(text.len(), length);
            assert!(length <= Token::MAX_LENGTH);
            assert!(Token::parse(text.as_bytes()) == Some(token));
        }
    }

    #[test]
    fn no_other_spelling_is_read() {
        let text = token(Some("ada")).encode();
        for wrong in [
            text.replace('.', ":"),
            format!("{text}="),
            format!(" {text}"),
            text[..65].to_owned(),
            format!("{text}A"),
            text.replace('.', ".."),
            String::new(),
            ".".to_owned(),
            "a".repeat(45),
            "a".repeat(100_000),
        ] {
            assert!(Token::parse(wrong.as_bytes()).is_none(), "{wrong:.80}");
        }
        // The last character of 16 bytes carries 2 bits: the other 4 must be zero.
        let mut spare = token(None).encode();
        spare.replace_range(44.., "B");
        assert!(Token::parse(spare.as_bytes()).is_none());
    }

    #[test]
    fn a_device_id_reads_as_22_characters_except_in_a_log() {
        let id = DeviceId::random();
        let text = id.to_string();
        assert_eq!(URL_SAFE_NO_PAD.encode(id.bytes()), text);
        assert_eq!(text.parse::<DeviceId>().unwrap(), id);
        assert_eq!(
            Wire::Bytes(text.clone().into()).read::<DeviceId>().unwrap(),
            id
        );
        for wrong in ["", &text[1..], "A234567890123456789012 "] {
            let error = wrong.parse::<DeviceId>().unwrap_err();
            assert!(error.to_string().contains("22 characters"), "{error}");
            assert!(
                Wire::Bytes(wrong.to_owned().into())
                    .read::<DeviceId>()
                    .is_err()
            );
        }
        assert_eq!(format!("{id:?}"), "DeviceId(..)");
        const KIND: Kind = Kind::record("kind");
        assert_eq!(Key::new(KIND, id).as_str(), format!("kind:{{{text}}}"));
        let user = UserTag::of("ada");
        let text = URL_SAFE_NO_PAD.encode(user.bytes());
        assert_eq!(Key::new(KIND, user).as_str(), format!("kind:{{{text}}}"));
        assert_ne!(user.bytes(), UserTag::of("grace").bytes());
        assert_ne!(random(), random());
    }

    #[test]
    fn a_changed_tag_changes_the_hash() {
        let one = token(Some("ada"));
        let other = Token {
            user: Some(UserTag::of("grace")),
            ..one
        };
        assert_ne!(one.hash(), other.hash());
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_what_would_be_written(bytes in "[A-Za-z0-9_.-]{45}|[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{43}") {
            if let Some(token) = Token::parse(bytes.as_bytes()) {
                prop_assert_eq!(token.encode(), bytes);
            }
        }

        #[test]
        fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Token::parse(&bytes);
        }
    }
}
