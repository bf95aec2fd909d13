//! Starts the processes, lets them go together, and counts what they loaded.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::arguments::{Arguments, load_log, store_url};

type Error = Box<dyn std::error::Error>;

struct Process {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended, unless something went wrong.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Error> {
    if arguments.processes > 1 && store_url().starts_with("memory:") {
        return Err("processes do not share memory://: set STORE_URL to a Redis".into());
    }
    let log = load_log().unwrap_or_else(|| {
        let name = format!("stampede-{}.log", std::process::id());
        std::env::temp_dir().join(name)
    });
    fs::write(&log, "")?;
    // A key that nobody has asked for before.
    let key = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64;
    let mut processes = Vec::new();
    for _ in 0..arguments.processes {
        processes.push(start(arguments, key, &log)?);
    }
    let began = Instant::now();
    for process in &mut processes {
        let stdin = process.child.stdin.as_mut().ok_or("no stdin")?;
        stdin.write_all(b"go\n")?;
    }
    let killed = match arguments.kills_leader {
        true => Some(kill_leader(&mut processes, &log)?),
        false => None,
    };
    for process in &mut processes {
        wait_for(process, "answered")?;
    }
    let ended = Instant::now();
    let loads = fs::read_to_string(&log)?.lines().count();
    if load_log().is_none() {
        fs::remove_file(&log)?;
    }
    let callers = arguments.callers * processes.len();
    let mut out = std::io::stdout();
    writeln!(out, "processes  callers  loads  all answered after")?;
    let (since, from) = match killed {
        Some(killed) => (killed, "the kill"),
        None => (began, "the start"),
    };
    let took = ended.duration_since(since).as_millis();
    writeln!(
        out,
        "{:<9}  {callers:<7}  {loads:<5}  {took} ms from {from}",
        arguments.processes
    )?;
    Ok(())
}

fn start(arguments: &Arguments, key: u64, log: &PathBuf) -> Result<Process, Error> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(arguments.for_child(key))
        .env("LOAD_LOG", log)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(child.stdout.take().ok_or("no stdout")?);
    let mut process = Process { child, lines };
    wait_for(&mut process, "ready")?;
    Ok(process)
}

fn wait_for(process: &mut Process, expected: &str) -> Result<(), Error> {
    let mut line = String::new();
    process.lines.read_line(&mut line)?;
    match line.trim() == expected {
        true => Ok(()),
        false => Err(format!("a process did not come to '{expected}'").into()),
    }
}

/// Waits for the first load, and kills the process that runs it. Returns when.
fn kill_leader(processes: &mut Vec<Process>, log: &Path) -> Result<Instant, Error> {
    let leader: u32 = loop {
        if let Some(line) = fs::read_to_string(log)?.lines().next() {
            break line.parse()?;
        }
        thread::sleep(Duration::from_millis(1));
    };
    let at = processes.iter().position(|it| it.child.id() == leader);
    let mut killed = processes.swap_remove(at.ok_or("the leader is not one of ours")?);
    killed.child.kill()?;
    Ok(Instant::now())
}
