//! Launches a server, and waits until it answers.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::port;

use super::config;
use super::connection::PATIENCE;
use super::error::StartError;
use super::login::login;
use super::options::{Mode, RedisOptions};
use super::polling::DEADLINE;
use super::process::Process;
use super::reaper::Reaper;

const CONFIG: &str = "redis.conf";

const POLL: Duration = Duration::from_millis(5);

/// The number of attempts if another process takes the port first.
const ATTEMPTS: usize = 20;
const PAUSE: Duration = Duration::from_millis(20);

/// The inputs of a start.
pub(super) struct Launch<'a> {
    pub(super) options: &'a RedisOptions,
    pub(super) dir: &'a Path,
    pub(super) reaper: &'a Reaper,
}

impl Launch<'_> {
    /// Starts on a free port, and returns the port.
    pub(super) fn on_a_free_port(&self) -> Result<(Process, u16), StartError> {
        self.attempt(|| {
            let port = match self.options.mode {
                Mode::ClusterNode => port::free_with_bus(),
                Mode::Server | Mode::Sentinel => port::free(),
            };
            let port = port.map_err(StartError::system("finding a free port"))?;
            self.configure(port)?;
            Ok(port)
        })
    }

    /// Starts on this port.
    pub(super) fn on(&self, port: u16) -> Result<Process, StartError> {
        self.configure(port)?;
        self.again_on(port)
    }

    /// Starts with the existing configuration, which the server may have rewritten.
    pub(super) fn again_on(&self, port: u16) -> Result<Process, StartError> {
        let mut attempts = 0..;
        let next = || {
            // The first attempt is made at once.
            if attempts.next() != Some(0) {
                std::thread::sleep(PAUSE);
            }
            Ok(port)
        };
        self.attempt(next).map(|(process, _)| process)
    }

    fn attempt(
        &self,
        mut next_port: impl FnMut() -> Result<u16, StartError>,
    ) -> Result<(Process, u16), StartError> {
        let mut left = ATTEMPTS;
        loop {
            let port = next_port()?;
            left -= 1;
            match self.once(port) {
                Err(StartError::PortTaken { .. }) if left > 0 => {}
                outcome => return outcome.map(|process| (process, port)),
            }
        }
    }

    fn configure(&self, port: u16) -> Result<(), StartError> {
        let text = config::render(self.options, self.dir, port);
        fs::write(self.dir.join(CONFIG), text).map_err(StartError::system("writing redis.conf"))
    }

    fn once(&self, port: u16) -> Result<Process, StartError> {
        let log = self.dir.join("server.log");
        let output = File::create(&log).map_err(StartError::system("creating the log"))?;
        let mut command = Command::new(&self.options.program);
        command.arg(self.dir.join(CONFIG));
        if self.options.mode == Mode::Sentinel {
            command.arg("--sentinel");
        }
        let process =
            Process::spawn(command, output, self.reaper).map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => StartError::Missing {
                    program: self.options.program.clone(),
                },
                _ => StartError::System {
                    what: "spawning the server",
                    source,
                },
            })?;
        self.wait(process, port, &log)
    }

    fn wait(&self, mut process: Process, port: u16, log: &Path) -> Result<Process, StartError> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let ended = process
                .exited()
                .map_err(StartError::system("watching the server"))?;
            if let Some(status) = ended {
                let log = tail(log);
                return Err(self.why_it_ended(port, format!("{status}\n{log}")));
            }
            let answer = self.ask(port, process.id());
            match answer {
                Ok(()) => return Ok(process),
                Err(answer) if Instant::now() > deadline => {
                    let report = format!("{answer}\n{}", tail(log));
                    return Err(StartError::NotReady {
                        waited: DEADLINE,
                        report,
                    });
                }
                Err(_) => std::thread::sleep(POLL),
            }
        }
    }

    fn why_it_ended(&self, port: u16, report: String) -> StartError {
        if report.contains("Address already in use") {
            StartError::PortTaken { port }
        } else if self.options.speaks_tls() && report.contains("'tls-port") {
            // It is the first TLS setting, so a server that was built without TLS reports it.
            StartError::NoTls {
                program: self.options.program.clone(),
            }
        } else {
            StartError::Ended { report }
        }
    }

    /// Checks that the server with the right process id answers.
    ///
    /// If our server could not bind its port, another one answers on it.
    fn ask(&self, port: u16, pid: u32) -> io::Result<()> {
        let mut connection = login(self.options, port, PATIENCE)?;
        let pong = connection.call(&["PING"])?;
        if pong.text().as_deref() != Some("PONG") {
            return Err(io::Error::other(format!("the answer to PING was {pong:?}")));
        }
        let info = connection.call(&["INFO", "server"])?;
        let wanted = format!("process_id:{pid}");
        if info
            .text()
            .is_some_and(|text| text.lines().any(|line| line == wanted))
        {
            Ok(())
        } else {
            Err(io::Error::other("another server answers on its port"))
        }
    }
}

/// Returns the end of a log, for an error.
fn tail(log: &Path) -> String {
    const LINES: usize = 12;
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
