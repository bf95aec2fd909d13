//! Ends the servers of a test process that was killed.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A shell that ends the servers when the test process ends, however it ends.
///
/// It waits until a pipe to this process is closed. Then it removes a directory and kills its process
/// group.
///
/// A panic runs `Drop`, but SIGKILL, an abort and `exit` do not, and without `unsafe` Rust cannot ask the
/// kernel to end a child with its parent. A pipe does that: only this process has its write end (the
/// standard library opens it close-on-exec), so the shell reads the end of the stream when this process
/// has ended.
///
/// Servers are spawned into the process group of the shell, so they never run without it. The group is
/// killed as a whole, so no process id is stored that another process may have by then. It is not the
/// foreground group of the terminal: Ctrl-C ends the test process, and thereby the shell.
#[derive(Debug)]
pub(super) struct Reaper {
    shell: Child,
    group: i32,
}

/// The signals are ignored, because only the pipe may end the shell. SIGHUP does occur: the kernel sends it
/// to a process group with a stopped process when its last parent outside the group has ended.
const SCRIPT: &str = r#"trap '' HUP INT QUIT TERM; read -r _; rm -rf -- "$1"; kill -s KILL 0"#;

impl Reaper {
    /// Starts the shell, which will remove `dir`.
    pub(super) fn start(dir: &Path) -> io::Result<Self> {
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "larder-reaper"])
            .arg(dir)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let group = i32::try_from(shell.id()).map_err(io::Error::other)?;
        Ok(Self { shell, group })
    }

    /// Makes `command` spawn into the process group that ends with this process.
    pub(super) fn adopt(&self, command: &mut Command) {
        command.process_group(self.group);
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        // `wait` closes the pipe first. The shell then does the same as after a crash, so every test that
        // ends normally tests that too.
        let _ = self.shell.wait();
    }
}
