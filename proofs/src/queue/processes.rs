//! Producers and workers in processes that are killed and paused.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::Contender;
use super::event::Event;
use super::work::{Sink, Stop, consume, consume_by_worker, produce};

/// The argument that makes `prove` one of the processes.
pub const WORKER: &str = "queue-worker";

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Producer,
    /// One that takes jobs and sends acks itself.
    Consumer,
    /// One that leaves both to a `Worker`.
    Worker,
}

/// A process, and what it prints.
pub(crate) struct Member {
    worker: &'static str,
    role: Role,
    contender: Contender,
    url: String,
    child: Child,
    /// Closed to tell it to stop. It also ends by itself if this process is killed.
    input: Option<ChildStdin>,
    history: Option<JoinHandle<Vec<Event>>>,
    /// What the processes did that were killed before it.
    before: Vec<Event>,
}

impl Member {
    /// Starts this program as `worker`.
    pub(crate) fn spawn(worker: &'static str, role: Role, contender: Contender, url: &str) -> Self {
        let itself = std::env::current_exe().expect("the path of this program");
        let mut child = Command::new(itself)
            .arg(worker)
            .args([format!("{role:?}"), format!("{contender:?}")])
            .arg(url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("another process");
        let input = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        // Its output is read at once, otherwise it would wait for room in the pipe.
        let history = std::thread::spawn(move || {
            let events = lines.map(|line| line.expect("a line").parse());
            events.map(|event| event.expect("an event")).collect()
        });
        Self {
            worker,
            role,
            contender,
            url: url.to_owned(),
            child,
            input,
            history: Some(history),
            before: Vec::new(),
        }
    }

    /// Kills the process, and starts another in its place.
    ///
    /// # Panics
    /// If it has ended before: what it found wrong would be lost with it.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("SIGKILL");
        let ended = self.child.wait().expect("its end");
        assert_eq!(
            ended.code(),
            None,
            "a {:?} had ended before: {ended}",
            self.role
        );
        let mut before = std::mem::take(&mut self.before);
        before.append(&mut self.printed());
        *self = Self::spawn(self.worker, self.role, self.contender, &self.url);
        self.before = before;
    }

    /// Freezes the process for a time.
    pub(crate) fn pause(&self, time: Duration) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::STOP).expect("SIGSTOP");
        std::thread::sleep(time);
        kill_process(pid, Signal::CONT).expect("SIGCONT");
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Tells the process to stop once it has nothing left to do.
    pub(crate) fn tell_to_stop(&mut self) {
        self.input = None;
    }

    /// Waits for its end, and returns what it did.
    pub(crate) fn finish(mut self) -> Vec<Event> {
        self.tell_to_stop();
        let ended = self.child.wait().expect("its end");
        assert!(ended.success(), "a {:?} failed: {ended}", self.role);
        let mut history = std::mem::take(&mut self.before);
        history.append(&mut self.printed());
        history
    }

    fn printed(&mut self) -> Vec<Event> {
        let reader = self.history.take().expect("read once");
        reader.join().expect("a thread that reads")
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is one of the processes: prints what it does, until its input is closed and nothing is left to do.
///
/// # Errors
/// If there is no runtime.
pub fn be_a_worker(role: &str, contender: &str, url: &str) -> io::Result<()> {
    be(role, contender, async |role, contender, stop, sink| {
        let seed = u64::from(std::process::id());
        match role {
            Role::Producer => produce(url, seed, stop, sink).await,
            Role::Consumer => consume(url, seed, contender, stop, sink).await,
            Role::Worker => consume_by_worker(url, stop, sink).await,
        }
    })
}

/// Is one of the processes that does its work by `work`.
pub(crate) fn be(
    role: &str,
    contender: &str,
    work: impl AsyncFnOnce(Role, Contender, Stop, Sink),
) -> io::Result<()> {
    let role = match role {
        "Producer" => Role::Producer,
        "Worker" => Role::Worker,
        _ => Role::Consumer,
    };
    let contender = match contender {
        "Fenced" => Contender::Fenced,
        _ => Contender::Unfenced,
    };
    let stop = Stop::default();
    let told = stop.clone();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        told.tell();
    });
    let sink: Sink = Arc::new(|event: Event| {
        // One write for each line, so that a process that is killed prints whole lines.
        let line = format!("{event}\n");
        let mut out = io::stdout().lock();
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    });
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(work(role, contender, stop, sink));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "had ended before")]
    fn a_process_that_ended_by_itself_is_not_replaced_as_if_it_had_been_killed() {
        // The test program does not know this word, and ends.
        let mut member = Member::spawn("no-worker", Role::Consumer, Contender::Fenced, "none");
        let _ = member.history.take().expect("a thread that reads").join();
        while member.child.try_wait().expect("a child").is_none() {
            std::thread::yield_now();
        }
        member.history = Some(std::thread::spawn(Vec::new));
        member.kill();
    }
}
