//! A directory and a group for a test's own processes.

use std::io;
use std::path::Path;
use std::process::Command;

use super::reaper::Reaper;
use super::temp_dir::Scratch;

/// A private temporary directory and a group of processes.
///
/// Both end with this value, or with the test process, however it ends.
///
/// It is for programs under test that a test starts itself. Whoever spawns a process still waits
/// for it: the group is killed when this is dropped, but a dead child is its parent's to collect.
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
    // Fields are dropped in this order: the processes end before their directory goes.
    reaper: Reaper,
    scratch: Scratch,
}

impl Sandbox {
    /// Makes an empty directory and an empty group.
    ///
    /// # Errors
    ///
    /// When the system refuses a directory or a process.
    pub fn new() -> io::Result<Self> {
        let scratch = Scratch::create()?;
        let reaper = Reaper::start(scratch.path())?;
        Ok(Self { reaper, scratch })
    }

    /// Returns the directory.
    ///
    /// Its path is short enough for a unix socket in it.
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Makes `command` spawn into the group. The group is in the background of a terminal, so that
    /// Ctrl-C reaches the test process alone.
    pub fn adopt<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        self.reaper.adopt(command);
        command
    }
}
