//! Processes that proofs start.

use std::env;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::{current, sleep};
use std::time::{Duration, Instant};

use larder_proofs::process::{Worker, be};

/// Far more than a process takes to start or to end.
const DEADLINE: Duration = Duration::from_secs(20);

/// Where the worker reports that it works, in a copy of this test process and in the worker that this one starts.
const REPORT_TO: &str = "LARDER_WORKER_REPORT_TO";

#[test]
#[should_panic(expected = "had ended before")]
fn a_process_that_ended_by_itself_is_not_counted_as_killed() {
    // The test program does not know this word, and ends.
    let mut worker = Worker::<String>::start("no-worker", &"no work");
    while !worker.has_ended() {
        std::thread::yield_now();
    }
    worker.kill();
}

#[test]
fn a_worker_ends_with_the_process_that_started_it() {
    let name = current().name().expect("the name of the test").to_owned();
    if let Ok(address) = env::var(REPORT_TO) {
        let args: Vec<_> = env::args().collect();
        return match &args[1..] {
            [named, work] if *named == name => be(work, async |address: String| {
                let mut report = TcpStream::connect(address)?;
                report.write_all(b"!")?;
                // Ends when the test does, so that it never outlives that.
                report.read_to_end(&mut Vec::new()).map(drop)
            })
            .expect("a worker"),
            _ => drop(Worker::<String>::start(&name, &address).finish()),
        };
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    let copy = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "--nocapture", &name])
        .env(REPORT_TO, address)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut copy = copy.expect("a copy of this process");
    let mut report = accept(&listener, &mut copy);
    report.read_exact(&mut [0]).expect("a worker that works");
    copy.kill().expect("SIGKILL");
    copy.wait().expect("its end");
    // The worker holds the other side as long as it runs.
    let rest = report.read_to_end(&mut Vec::new());
    assert_eq!(rest.expect("the worker has ended"), 0);
}

/// Waits for the worker.
fn accept(listener: &TcpListener, copy: &mut Child) -> TcpStream {
    listener.set_nonblocking(true).expect("it can be polled");
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Ok((report, _)) = listener.accept() {
            report.set_nonblocking(false).expect("it can be waited for");
            let patient = report.set_read_timeout(Some(DEADLINE));
            patient.expect("the deadline is not zero");
            return report;
        }
        let ended = copy.try_wait().expect("a child can be watched");
        assert_eq!(ended, None, "the copy ended without a worker");
        assert!(Instant::now() < deadline, "no worker reports");
        sleep(Duration::from_millis(5));
    }
}
