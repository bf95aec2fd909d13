use std::io::{BufRead, Write};

/// The streams that a command writes to and reads from.
pub struct Io<'a> {
    /// The standard output.
    pub out: &'a mut dyn Write,
    /// The standard error.
    pub err: &'a mut dyn Write,
    /// The standard input.
    pub input: &'a mut dyn BufRead,
    /// Whether progress is written to `err`, as on a terminal.
    pub shows_progress: bool,
    /// Whether a live view clears the screen before each picture, as when `out` is a terminal.
    pub clears_screen: bool,
}

impl std::fmt::Debug for Io<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Io").finish_non_exhaustive()
    }
}
