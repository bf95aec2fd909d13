//! A child process that is killed at the latest when dropped.

use std::fs::File;
use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::reaper::Reaper;

#[derive(Debug)]
pub(super) struct Process {
    child: Child,
}

/// The maximum wait for the effect of a signal, which normally takes microseconds.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

impl Process {
    /// Spawns `command` into the reaper's process group. All its output goes to `log`.
    pub(super) fn spawn(mut command: Command, log: File, reaper: &Reaper) -> io::Result<Self> {
        reaper.adopt(&mut command);
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        command.spawn().map(|child| Self { child })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the exit status if the process has ended, or None while it runs.
    pub(super) fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Freezes the process. Returns once it is stopped.
    pub(super) fn stop(&self) -> io::Result<()> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::STOP)?;
        let deadline = Instant::now() + STOP_DEADLINE;
        let stopped = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        while waitid(WaitId::Pid(pid), stopped)?.is_none() {
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        Ok(())
    }

    /// Resumes a frozen process.
    pub(super) fn resume(&self) -> io::Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::CONT)?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL ends a stopped process too. Both calls fail only if the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
