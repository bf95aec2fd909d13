//! Reads what the scripts answer.

use bytes::Bytes;
use larder_store::{Result, Wire};

use super::{About, Epoch, Fields, Owner};

/// Text of one of our own scripts.
pub(crate) fn text(wire: Wire) -> Result<String> {
    String::from_utf8(wire.bytes()?.into()).map_err(|_| Wire::unexpected("text in UTF-8"))
}

pub(crate) fn epoch(bytes: &[u8]) -> Result<Epoch> {
    bytes.try_into().map_err(|_| Wire::unexpected("an epoch"))
}

/// Something, unless the answer is nil.
pub(crate) fn optional<T>(wire: Wire, read: impl FnOnce(Wire) -> Result<T>) -> Result<Option<T>> {
    match wire {
        Wire::Nil => Ok(None),
        wire => read(wire).map(Some),
    }
}

/// Reads the whole hash of a session, as `HGETALL` gives it.
pub(super) fn session(wire: Wire) -> Result<(About, Fields)> {
    let mut parts = Parts::default();
    let mut fields = Fields::new();
    let mut list = wire.list()?.into_iter();
    while let (Some(name), Some(value)) = (list.next(), list.next()) {
        let (name, value) = (name.bytes()?, value.bytes()?);
        if let Some(name) = name.strip_prefix(b"d:") {
            let name = std::str::from_utf8(name).map_err(|_| Wire::unexpected("a name"))?;
            fields.insert(name.into(), value);
        } else if let &[letter] = &*name {
            parts.take(letter, value)?;
        }
    }
    Ok((parts.about()?, fields))
}

#[derive(Default)]
struct Parts {
    user: Option<String>,
    epoch: Option<Epoch>,
    since: i64,
    era: i64,
    created: i64,
    seen: i64,
    idle_at: i64,
    absolute_at: i64,
    bytes: i64,
}

impl Parts {
    fn take(&mut self, letter: u8, value: Bytes) -> Result<()> {
        let value = Wire::Bytes(value);
        match letter {
            b'u' => self.user = Some(text(value)?),
            b'e' => self.epoch = Some(epoch(&value.bytes()?)?),
            b'l' => self.since = value.int()?,
            b'g' => self.era = value.int()?,
            b'c' => self.created = value.int()?,
            b's' => self.seen = value.int()?,
            b'i' => self.idle_at = value.int()?,
            b'a' => self.absolute_at = value.int()?,
            b'b' => self.bytes = value.int()?,
            _ => {}
        }
        Ok(())
    }

    fn about(self) -> Result<About> {
        let owner = match (self.user, self.epoch) {
            (None, None) => None,
            (Some(user), Some(epoch)) => Some(Owner {
                user: user.into(),
                epoch,
                since: self.since,
            }),
            _ => return Err(Wire::unexpected("a user and an epoch, or neither")),
        };
        Ok(About {
            owner,
            era: self.era,
            created: self.created,
            seen: self.seen,
            idle_at: self.idle_at,
            absolute_at: self.absolute_at,
            bytes: self.bytes,
        })
    }
}
