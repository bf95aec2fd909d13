use super::{CODEC, FLAGS, Flags, LOAD, MAGIC, SCHEMA};

/// Whether a process can read stored bytes, as far as their first bytes say: their layout, codec and schema, and
/// whether they are sealed.
///
/// `journal.lua` of write-behind reads the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form([u8; Form::LEN]);

impl Form {
    pub(crate) const LEN: usize = 10;

    /// Returns the form of what a process writes.
    pub(crate) fn new(codec: u8, schema: u32, flags: Flags) -> Self {
        Self::from_parts(MAGIC, codec, schema.to_le_bytes(), flags)
    }

    /// Returns the form of stored bytes. If they are too short to have one, it is that of no process.
    pub(crate) fn of(stored: &[u8]) -> Self {
        let Some(header) = stored.first_chunk::<LOAD>() else {
            return Self([0; Self::LEN]);
        };
        let [m0, m1, m2, m3, ..] = *header;
        let schema = [SCHEMA, SCHEMA + 1, SCHEMA + 2, SCHEMA + 3].map(|at| header[at]);
        Self::from_parts(
            [m0, m1, m2, m3],
            header[CODEC],
            schema,
            Flags(header[FLAGS]),
        )
    }

    fn from_parts([m0, m1, m2, m3]: [u8; 4], codec: u8, schema: [u8; 4], flags: Flags) -> Self {
        let [s0, s1, s2, s3] = schema;
        let is_sealed = b'0' + u8::from(flags.contains(Flags::SEALED));
        Self([m0, m1, m2, m3, codec, s0, s1, s2, s3, is_sealed])
    }

    pub(crate) fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_stored_bytes_is_that_of_the_process_that_wrote_them() {
        for (codec, schema, flags) in [
            (0, 0, Flags::default()),
            (1, 0x0403_0201, Flags::SEALED),
            (255, u32::MAX, Flags::SEALED.with(Flags::COMPRESSED)),
            (7, 1, Flags::COMPRESSED),
        ] {
            let mut stored = vec![0; 100];
            stored[..4].copy_from_slice(&MAGIC);
            stored[CODEC] = codec;
            stored[FLAGS] = flags.0;
            stored[SCHEMA..LOAD].copy_from_slice(&schema.to_le_bytes());
            assert_eq!(Form::of(&stored), Form::new(codec, schema, flags));
            let compressed = Form::new(codec, schema, flags.with(Flags::COMPRESSED));
            assert_eq!(Form::of(&stored), compressed, "each process reads both");
            stored[3] += 1;
            assert_ne!(Form::of(&stored), Form::new(codec, schema, flags));
        }
        assert_eq!(Form::of(&[1; 31]), Form([0; Form::LEN]));
    }
}
