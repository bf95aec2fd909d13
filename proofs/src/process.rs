//! Worker processes: this program again, with its work as an argument and what it tells as lines of JSON.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

/// A worker process. It is killed when this is dropped.
#[derive(Debug)]
pub struct Worker<E> {
    child: Child,
    /// Closed to tell it to stop. That also happens if this process is killed: no worker outlives it.
    input: Option<ChildStdin>,
    /// Reads what it tells, which outlives it in the pipe.
    reader: Option<JoinHandle<Vec<E>>>,
}

impl<E: DeserializeOwned + Send + 'static> Worker<E> {
    /// Starts this program as the worker `name`.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(name: &str, work: &impl Serialize) -> Self {
        let itself = std::env::current_exe().expect("the path of this program");
        let mut child = Command::new(itself)
            .arg(name)
            .arg(serde_json::to_string(work).expect("its work as JSON"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("another process");
        let input = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        // Its output is read at once, otherwise it would wait for room in the pipe.
        let reader = std::thread::spawn(move || {
            let events = lines.map(|line| serde_json::from_str(&line.expect("a line")));
            events.map(|event| event.expect("an event")).collect()
        });
        Self {
            child,
            input,
            reader: Some(reader),
        }
    }

    /// Tells it to stop once it has nothing left to do.
    pub fn tell_to_stop(&mut self) {
        self.input = None;
    }

    /// Freezes it for a time.
    ///
    /// # Panics
    /// If it has ended.
    pub fn pause(&self, time: Duration) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::STOP).expect("SIGSTOP");
        std::thread::sleep(time);
        kill_process(pid, Signal::CONT).expect("SIGCONT");
    }

    /// Kills it by SIGKILL, and returns what it had told.
    ///
    /// # Panics
    /// If it has ended before: what it found wrong would be lost with it.
    pub fn kill(&mut self) -> Vec<E> {
        self.child.kill().expect("SIGKILL");
        let ended = self.child.wait().expect("its end");
        assert_eq!(ended.code(), None, "it had ended before: {ended}");
        self.told()
    }

    /// Returns whether it has ended by itself.
    ///
    /// # Panics
    /// If the system does not know it.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// Waits for its end, and returns what it told.
    ///
    /// # Panics
    /// If it failed.
    #[must_use]
    pub fn finish(mut self) -> Vec<E> {
        let ended = self.child.wait().expect("its end");
        assert!(ended.success(), "a worker failed: {ended}");
        self.told()
    }

    fn told(&mut self) -> Vec<E> {
        let reader = self.reader.take().expect("read once");
        reader.join().expect("what it told")
    }
}

/// Some work until they are killed, so a round that fails must not leave them behind.
impl<E> Drop for Worker<E> {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is a worker: does the work that [`Worker::start`] was given, and ends at once if the process that started it ends.
///
/// # Errors
/// Those of the work.
pub fn be<W: DeserializeOwned>(
    work: &str,
    does: impl AsyncFnOnce(W) -> io::Result<()>,
) -> io::Result<()> {
    at_the_end_of_the_input(|| std::process::exit(1));
    be_to_the_end(work, does)
}

/// Runs `end` in a thread once the input of this process is closed.
pub(crate) fn at_the_end_of_the_input(end: impl FnOnce() + Send + 'static) {
    std::thread::spawn(|| {
        // Input that cannot be read has no other end.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        end();
    });
}

/// Is a worker that comes to its end by itself, whatever becomes of its input.
pub(crate) fn be_to_the_end<W: DeserializeOwned>(
    work: &str,
    does: impl AsyncFnOnce(W) -> io::Result<()>,
) -> io::Result<()> {
    let work = serde_json::from_str(work)?;
    Runtime::new()?.block_on(does(work))
}

/// Tells an event to the process that started this one.
///
/// # Errors
/// If nobody reads it any more.
pub fn tell(event: &impl Serialize) -> io::Result<()> {
    // One write for each line, so that a process that is killed prints whole lines.
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    io::stdout().write_all(&line)
}
