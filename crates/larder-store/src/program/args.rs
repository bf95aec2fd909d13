use smallvec::SmallVec;

use crate::{Error, ErrorKind, Result};

/// The largest integer of a program: 2^53, beyond which Lua's numbers have gaps.
pub const MAX_INT: i64 = 1 << 53;

/// The arguments of a program, in the order of `ARGV`.
#[derive(Default)]
pub struct Args {
    bytes: SmallVec<[u8; 128]>,
    ends: SmallVec<[usize; 8]>,
    out_of_range: bool,
    only_checked: bool,
}

impl std::fmt::Debug for Args {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Args")
            .field("number", &self.ends.len())
            .finish_non_exhaustive()
    }
}

impl Args {
    /// Makes an empty list of arguments.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes arguments that are only checked, for a step in process.
    #[inline]
    pub(super) fn only_checked() -> Self {
        Self {
            only_checked: true,
            ..Self::default()
        }
    }

    /// Adds an integer, in decimal.
    ///
    /// One past [`MAX_INT`] makes the whole call invalid.
    #[inline]
    pub fn int(&mut self, int: i64) {
        self.out_of_range |= int.unsigned_abs() > MAX_INT.unsigned_abs();
        if self.only_checked {
            return;
        }
        self.write_int(int);
    }

    fn write_int(&mut self, int: i64) {
        let mut digits = itoa::Buffer::new();
        self.bytes.extend_from_slice(digits.format(int).as_bytes());
        self.ends.push(self.bytes.len());
    }

    /// Adds text.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        if self.only_checked {
            return;
        }
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len());
    }

    /// Returns the number of arguments.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether there are no arguments.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Iterates over the arguments as they are sent.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, &end)| &self.bytes[start..end])
    }

    /// Refuses arguments that the two forms of a program would read differently.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if an integer is past [`MAX_INT`].
    #[inline]
    pub fn check(&self) -> Result<()> {
        match self.out_of_range {
            true => Err(out_of_range()),
            false => Ok(()),
        }
    }
}

#[cold]
fn out_of_range() -> Error {
    Error::new(
        "run",
        ErrorKind::Invalid,
        "an integer argument is past 2^53, the limit of programs",
    )
}
