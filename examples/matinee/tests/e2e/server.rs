//! One process of the app.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use larder_test::server::Sandbox;
use rustix::process::{Pid, Signal, kill_process};

/// Far longer than a start takes, even on a busy machine.
const OPENING: Duration = Duration::from_secs(20);

/// Prepares the program with these settings and no others, in a directory and a process group that
/// end with the test.
pub(crate) fn program(sandbox: &Sandbox, settings: &[(&'static str, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_matinee"));
    command
        .env_clear()
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .current_dir(sandbox.path())
        .stdin(Stdio::null());
    sandbox.adopt(&mut command);
    command
}

/// A process that was started, but not awaited yet.
pub(crate) struct Opening {
    process: Process,
    lines: Receiver<String>,
}

/// A process that serves. It is killed when dropped.
pub(crate) struct Server {
    process: Process,
    address: SocketAddr,
    opening_line: String,
}

struct Process {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
    stderr: PathBuf,
}

impl Opening {
    pub(crate) fn start(
        sandbox: &Sandbox,
        number: usize,
        settings: &[(&'static str, String)],
    ) -> Self {
        let stderr = sandbox.path().join(format!("server-{number}.stderr"));
        let mut child = program(sandbox, settings)
            .stdout(Stdio::piped())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        let (tell, lines) = channel();
        let stdout = child.stdout.take().unwrap();
        let log = Arc::default();
        let kept = Arc::clone(&log);
        let reader = thread::spawn(move || collect(stdout, &kept, &tell));
        let process = Process {
            child,
            log,
            reader: Some(reader),
            stderr,
        };
        Self { process, lines }
    }

    pub(crate) fn wait(self) -> Server {
        let deadline = Instant::now() + OPENING;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("it does not open; stderr: {}", self.process.stderr());
            };
            let address = word_after(&line, "address=http://");
            if let Some(address) = address.and_then(|address| address.parse().ok()) {
                return Server {
                    process: self.process,
                    address,
                    opening_line: line,
                };
            }
        }
    }
}

impl Server {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the line that names its address.
    pub(crate) fn opening_line(&self) -> &str {
        &self.opening_line
    }

    /// Waits until its log has a line that contains all of these.
    pub(crate) fn wait_for_log(&self, parts: &[&str]) {
        let deadline = Instant::now() + OPENING;
        while !self.has_logged(parts) {
            assert!(Instant::now() < deadline, "nothing logged of {parts:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Returns whether its log has a line that contains all of these.
    pub(crate) fn has_logged(&self, parts: &[&str]) -> bool {
        self.times_logged(parts) > 0
    }

    /// Returns how many lines of its log contain all of these.
    pub(crate) fn times_logged(&self, parts: &[&str]) -> usize {
        let is_it = |line: &&String| parts.iter().all(|part| line.contains(part));
        self.process
            .log
            .lock()
            .unwrap()
            .iter()
            .filter(is_it)
            .count()
    }

    /// Returns the resident memory of the process in bytes, from Linux.
    pub(crate) fn resident(&self) -> u64 {
        self.status("VmRSS:") * 1024
    }

    /// Returns the number of threads of the process, from Linux.
    pub(crate) fn threads(&self) -> u64 {
        self.status("Threads:")
    }

    /// Returns the number of open descriptors of the process, from Linux.
    pub(crate) fn descriptors(&self) -> u64 {
        let open = format!("/proc/{}/fd", self.process.child.id());
        std::fs::read_dir(open).unwrap().count() as u64
    }

    fn status(&self, name: &str) -> u64 {
        let status = format!("/proc/{}/status", self.process.child.id());
        let status = std::fs::read_to_string(status).unwrap();
        let (_, rest) = status.split_once(name).unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Tells it to stop, with SIGTERM.
    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.process.child), Signal::TERM).unwrap();
    }

    /// Waits until the process has ended, and returns its status and its output.
    pub(crate) fn end(mut self, patience: Duration) -> End {
        let deadline = Instant::now() + patience;
        let status = loop {
            match self.process.child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > deadline => panic!("it did not end within {patience:?}"),
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        End {
            status,
            log: self.process.whole_log(),
            stderr: self.process.stderr(),
        }
    }
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    pub(crate) log: Vec<String>,
    pub(crate) stderr: String,
}

impl Process {
    fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Returns everything that it has logged until it ended.
    fn whole_log(&mut self) -> Vec<String> {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let log = self.whole_log();
        if thread::panicking() {
            let is_news = |line: &&String| !line.contains("answered status=200");
            let news: Vec<_> = log.iter().filter(is_news).map(String::as_str).collect();
            println!("a log:\n{}\n{}", news.join("\n"), self.stderr());
        }
    }
}

/// Reads lines until the process closes the pipe, so that the process never has to wait for a
/// reader.
fn collect(stdout: ChildStdout, log: &Mutex<Vec<String>>, tell: &Sender<String>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        // Nobody waits for lines after the one with its address.
        let _ = tell.send(line.clone());
        log.lock().unwrap().push(line);
    }
}

fn word_after<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    line.split_once(mark)?.1.split_whitespace().next()
}
