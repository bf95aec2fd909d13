//! No server outlives its test, however the test ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use larder_test::server::{RedisCluster, RedisSentinels, RedisServer};

use super::trace::{Trace, runs};
use super::{DEADLINE, Outcome};

#[test]
fn a_server_is_gone_after_a_panic() {
    let (sender, receiver) = mpsc::channel();
    let test = thread::spawn(move || {
        let server = RedisServer::start().unwrap();
        sender.send(Trace::of(&server)).unwrap();
        panic!("a test that fails while it has a server");
    });
    let trace = receiver.recv().expect("the server was started");
    assert!(test.join().is_err());
    assert!(trace.is_gone(), "{trace:?} is still there");
}

/// Where the copy of this test process that is to be killed reports its servers.
const REPORT_TO: &str = "LARDER_TEST_REPORT_TO";

#[test]
fn a_cluster_is_gone_after_a_panic() {
    let (sender, receiver) = mpsc::channel();
    let test = thread::spawn(move || {
        let cluster = RedisCluster::start().unwrap();
        let traces: Vec<_> = cluster.nodes().iter().map(Trace::of_node).collect();
        sender.send(traces).unwrap();
        panic!("a test that fails while it has a cluster");
    });
    let traces = receiver.recv().expect("the cluster was started");
    assert!(test.join().is_err());
    assert!(traces.iter().all(Trace::is_gone), "{traces:?}");
}

#[test]
fn servers_are_gone_after_their_test_process_was_killed() -> Outcome {
    no_server_outlives("KILL")
}

#[test]
fn sentinels_and_their_servers_are_gone_after_their_test_process_was_killed() -> Outcome {
    nothing_outlives("KILL", 6, |report| {
        let all = RedisSentinels::start()?;
        all.sentinels()[0].freeze()?;
        let nodes = all.servers().iter().chain(all.sentinels());
        report(&nodes.map(Trace::of_node).collect::<Vec<_>>())
    })
}

#[test]
fn servers_are_gone_after_their_test_process_was_interrupted_from_the_keyboard() -> Outcome {
    // A shell starts its background jobs with SIGINT ignored, and what is ignored is inherited: a
    // keyboard could not interrupt the copy there, and TERM stands in for it.
    no_server_outlives(if is_interrupt_ignored() {
        "TERM"
    } else {
        "INT"
    })
}

/// Whether this process ignores SIGINT, as far as the system tells.
fn is_interrupt_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 0b10 != 0)
}

/// Runs the calling test in a copy of this process, which holds a running server and a stopped one,
/// and ends the copy's process group with `signal`, as a terminal does.
fn no_server_outlives(signal: &str) -> Outcome {
    nothing_outlives(signal, 2, |report| {
        let servers = [RedisServer::start()?, RedisServer::start()?];
        servers[1].stop()?;
        report(&servers.each_ref().map(Trace::of))
    })
}

/// As [`no_server_outlives`], with so many servers, which `hold` starts and reports.
fn nothing_outlives(
    signal: &str,
    count: usize,
    hold: impl FnOnce(&dyn Fn(&[Trace]) -> Outcome) -> Outcome,
) -> Outcome {
    if let Ok(address) = std::env::var(REPORT_TO) {
        return hold(&|traces| report_until_killed(&address, traces));
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut copy = Command::new(std::env::current_exe()?)
        .args(["--exact", "--nocapture"])
        .arg(
            thread::current()
                .name()
                .expect("a test runs in a thread of its name"),
        )
        .env(REPORT_TO, listener.local_addr()?.to_string())
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let (traces, _report) = read_report(&listener, &mut copy);
    assert_eq!(traces.len(), count);
    for trace in &traces {
        assert!(
            runs(trace.pid) && trace.dir.exists(),
            "{trace:?} is gone before the signal"
        );
    }
    let kill = ["-c", "kill -s \"$0\" -- \"-$1\"", signal];
    assert!(
        Command::new("sh")
            .args(kill)
            .arg(copy.id().to_string())
            .status()?
            .success()
    );
    let ended = end_of(&mut copy)?;
    assert!(ended.signal().is_some(), "the copy ended by itself");
    traces.iter().for_each(Trace::wait_until_gone);
    Ok(())
}

/// How the copy ended. One that does not is killed, and the test fails.
fn end_of(copy: &mut Child) -> std::io::Result<ExitStatus> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(ended) = copy.try_wait()? {
            return Ok(ended);
        }
        if Instant::now() >= deadline {
            copy.kill()?;
            copy.wait()?;
            return Err(std::io::Error::other("the signal did not end the copy"));
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// The copy's part: it has servers, says so, and waits for its end.
fn report_until_killed(address: &str, traces: &[Trace]) -> Outcome {
    let mut report = TcpStream::connect(address)?;
    for Trace { pid, address, dir } in traces {
        writeln!(report, "{pid} {address} {}", dir.display())?;
    }
    writeln!(report)?;
    // Ends when the other side does, so that this process never outlives the test.
    report.read_to_end(&mut Vec::new())?;
    Ok(())
}

/// What the copy reports, as long as it runs, and the connection on which it waits for its end.
fn read_report(listener: &TcpListener, copy: &mut Child) -> (Vec<Trace>, BufReader<TcpStream>) {
    listener
        .set_nonblocking(true)
        .expect("a listener can be polled");
    let deadline = Instant::now() + DEADLINE;
    let report = loop {
        match listener.accept() {
            Ok((report, _)) => break report,
            Err(error) => {
                let ended = copy.try_wait().expect("a child can be watched");
                assert_eq!(ended, None, "the copy ended without a report");
                assert!(
                    Instant::now() < deadline,
                    "the copy did not report: {error}"
                );
                thread::sleep(Duration::from_millis(5));
            }
        }
    };
    report
        .set_nonblocking(false)
        .expect("a connection can be waited for");
    report
        .set_read_timeout(Some(DEADLINE))
        .expect("the deadline is not zero");
    let mut report = BufReader::new(report);
    let lines = report
        .by_ref()
        .lines()
        .map(|line| line.expect("a whole line"));
    let traces = lines
        .take_while(|line| !line.is_empty())
        .map(|line| parse(&line))
        .collect();
    (traces, report)
}

fn parse(line: &str) -> Trace {
    let mut words = line.splitn(3, ' ');
    let mut word = || words.next().expect("a report has three words");
    Trace {
        pid: word().parse().expect("the first is a process id"),
        address: word().parse().expect("the second is an address"),
        dir: Path::new(word()).to_owned(),
    }
}
