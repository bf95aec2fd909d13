//! Ends the servers of a test process that was killed.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A shell that ends the processes of a test process that died.
///
/// It waits until this process lets go of a pipe, then kills a process group and removes a
/// directory.
///
/// A panic unwinds through `Drop`, but SIGKILL, an abort and `exit` do not, and Rust without
/// `unsafe` cannot ask the kernel to bind a child's life to its parent's. A pipe can: its write end
/// is held by this process alone (the standard library opens it close-on-exec), so the shell reads
/// its end when this process is gone, however it went.
///
/// Servers are spawned into the shell's process group before they execute, so there is no moment
/// at which one runs unguarded; and the group is killed as a whole, so no process id is stored that
/// might by then belong to another process. The group is not the terminal's foreground one: Ctrl-C
/// reaches the test process, and through it the shell.
#[derive(Debug)]
pub(super) struct Reaper {
    shell: Child,
    group: i32,
}

/// The signals are ignored because nothing but the pipe may end the shell. SIGHUP does come: the
/// kernel sends it to a group that holds a stopped process and has lost its last parent outside.
const SCRIPT: &str = r#"trap '' HUP INT QUIT TERM; read -r _; rm -rf -- "$1"; kill -s KILL 0"#;

impl Reaper {
    /// Starts the shell; `dir` is the directory that goes with the group.
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

    /// Makes `command` spawn into the group that ends with this process.
    pub(super) fn adopt(&self, command: &mut Command) {
        command.process_group(self.group);
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        // `wait` closes the pipe first. What the shell does then is what it does after a crash, so
        // every test that ends well tries it.
        let _ = self.shell.wait();
    }
}
