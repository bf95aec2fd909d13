use larder_store::{Error, ErrorKind, Key, Result};

use super::{Packing, Unpacked};
use crate::Codec;
use crate::envelope::{Envelope, Flags, Form, Opened, TagMarks};
use crate::lifetime::Times;

/// The form of a cache's stored values: those of the far store, and those that wait in a journal.
#[derive(Clone, Debug)]
pub(crate) struct ValueFormat {
    pub(crate) schema: u32,
    /// The maximum number of bytes of an encoded value.
    pub(crate) max_value: usize,
    pub(crate) packing: Packing,
}

/// Why stored bytes give no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// They are intact, and of another deployment, earlier or at the same time.
    Foreign,
    /// Anything else.
    Damaged,
}

impl ValueFormat {
    /// Returns the bytes of a value, or of the fact that the source has none.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the value cannot be written or read back,
    /// [`ErrorKind::TooLarge`] if it is too large.
    pub(crate) fn seal<V: 'static>(
        &self,
        codec: &dyn Codec<V>,
        key: &Key,
        value: Option<&V>,
        times: Times,
        tags: TagMarks,
    ) -> Result<Vec<u8>> {
        let mut envelope = Envelope {
            codec: codec.id(),
            flags: Flags::default(),
            schema: self.schema,
            times,
            tags,
        };
        let header = envelope.len();
        let mut sealed = Vec::with_capacity(512);
        sealed.resize(header, 0);
        if let Some(value) = value {
            codec.encode(value, &mut sealed)?;
        }
        if sealed.len() - header > self.max_value {
            return Err(self.too_large());
        }
        if let Some(value) = value {
            codec.verify(value, &sealed[header..])?;
        }
        envelope.flags = self.packing.compress(&mut sealed, header);
        if value.is_none() {
            envelope.flags = envelope.flags.with(Flags::NOT_FOUND);
        }
        envelope
            .describe(&mut sealed)
            .and_then(|()| {
                let described = Envelope::DESCRIPTION;
                self.packing.seal(&mut sealed, described, header, key)
            })
            .and_then(|()| Envelope::frame(&mut sealed, key))
            .ok_or_else(|| self.too_large())?;
        Ok(sealed)
    }

    /// Returns the form of what this process writes, and reads.
    pub(crate) fn form(&self, codec: u8) -> Form {
        Form::new(codec, self.schema, self.packing.flags())
    }

    /// Opens the envelope of stored bytes, which say whether their value can be read here.
    pub(crate) fn open<V: 'static>(
        &self,
        codec: &dyn Codec<V>,
        key: &Key,
        sealed: &[u8],
    ) -> Result<Envelope, Unreadable> {
        let most = self.max_value.saturating_add(self.packing.overhead());
        match Envelope::open(sealed, key, most) {
            Opened::Value(envelope, _) => {
                let is_ours = envelope.codec == codec.id() && envelope.schema == self.schema;
                is_ours.then_some(envelope).ok_or(Unreadable::Foreign)
            }
            Opened::Earlier | Opened::TooLong => Err(Unreadable::Foreign),
            Opened::Damaged => Err(Unreadable::Damaged),
        }
    }

    /// Reads the value behind an envelope that was opened. None if the source has none.
    pub(crate) fn decode<V: 'static>(
        &self,
        codec: &dyn Codec<V>,
        key: &Key,
        sealed: &[u8],
        envelope: &Envelope,
    ) -> Result<Option<V>, Unreadable> {
        let (header, payload) = sealed.split_at(envelope.len());
        let (flags, described) = (envelope.flags, &header[Envelope::DESCRIPTION..]);
        let unpacked = self
            .packing
            .unpack(flags, described, payload, key, self.max_value);
        match unpacked {
            Unpacked::Value(_) if flags.contains(Flags::NOT_FOUND) => Ok(None),
            Unpacked::Value(bytes) => match codec.decode(&bytes) {
                Some(value) => Ok(Some(value)),
                None => Err(Unreadable::Damaged),
            },
            Unpacked::Foreign => Err(Unreadable::Foreign),
            Unpacked::Damaged => Err(Unreadable::Damaged),
        }
    }

    fn too_large(&self) -> Error {
        let text = format!(
            "the encoded value is larger than {} bytes: raise with_max_value(bytes) of the cache",
            self.max_value
        );
        Error::new("put", ErrorKind::TooLarge, text)
    }
}
