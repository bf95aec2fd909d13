//! A directory and a process group for the processes that a test starts itself.

use std::io;
use std::path::Path;
use std::process::Command;

use super::reaper::Reaper;
use super::temp_dir::Scratch;

/// A private temporary directory and a process group.
///
/// Both end with this value, or with the test process, however it ends.
///
/// Use it for programs that a test starts itself. Dropping it kills them, but the test must still call
/// `wait` for each process that it spawned, to free its entry in the process table.
///
/// # Examples
///
/// ```
/// use std::process::Command;
/// use larder_test::server::Sandbox;
///
/// # fn main() -> std::io::Result<()> {
/// let sandbox = Sandbox::new()?;
/// let mut command = Command::new("sleep");
/// sandbox.adopt(command.arg("60"));
/// let mut sleeper = command.spawn()?;
/// drop(sandbox);
/// assert!(!sleeper.wait()?.success(), "it was killed");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Sandbox {
    // Fields are dropped in this order: the processes end before their directory is removed.
    reaper: Reaper,
    scratch: Scratch,
}

impl Sandbox {
    /// Makes an empty directory and an empty group.
    ///
    /// # Errors
    ///
    /// If the system refuses a directory or a process.
    pub fn new() -> io::Result<Self> {
        let scratch = Scratch::create()?;
        let reaper = Reaper::start(scratch.path())?;
        Ok(Self { reaper, scratch })
    }

    /// Returns the directory.
    ///
    /// Its path is short enough for a Unix socket inside.
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Makes `command` spawn into the process group.
    ///
    /// The group is in the background of the terminal, so Ctrl-C reaches only the test process.
    pub fn adopt<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        self.reaper.adopt(command);
        command
    }
}
