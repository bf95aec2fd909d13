//! How the app stops.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::app::App;
use crate::plan::Plan;
use crate::server::{End, Server};
use crate::visitor::Visitor;

on_both_backends! {
    a_busy_app_stops_at_once_and_answers_every_request_that_it_accepted,
    visitors_who_send_nothing_do_not_keep_the_app_running,
}

/// Longer than the drain of two seconds, after which the app closes its database.
const DRAIN: Duration = Duration::from_secs(7);
/// Without anything to wait for it stops at once; but this machine may be compiling at the same
/// time.
const AT_ONCE: Duration = Duration::from_secs(5);
/// After this many answers, a crowd of eight is keeping the app busy.
const BUSY: usize = 64;
/// Far longer than a crowd takes to gather.
const GATHERING: Duration = Duration::from_secs(20);

fn a_busy_app_stops_at_once_and_answers_every_request_that_it_accepted(plan: Plan) {
    let mut app = plan
        .with("RUST_LOG", "info,tower_http=debug")
        .alone()
        .open();
    let answered = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (app, answered) = (&app, &answered);
        let crowd = scope.spawn(|| {
            app.crowd(8, |visitor, server, number| {
                let mut films = 0..;
                let mut ask = || {
                    let film = films.next().unwrap_or(0) % 400 + number * 400 + 1;
                    visitor.try_get(server, &format!("/films/{film}"))
                };
                while let Ok(answer) = ask() {
                    assert_eq!(answer.status, 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        // How long a crowd takes to gather depends on the machine. It sends requests until the app
        // is gone.
        let gathering = Instant::now();
        while answered.load(Ordering::Relaxed) < BUSY && gathering.elapsed() < GATHERING {
            thread::sleep(Duration::from_millis(5));
        }
        app.servers().iter().for_each(Server::terminate);
        crowd.join().unwrap();
    });
    let received = answered.into_inner();
    assert!(received >= BUSY, "there was nothing to interrupt");

    let ends = close(&mut app, AT_ONCE);
    let count = |what: &str| {
        let lines = ends.iter().flat_map(|end| &end.log);
        let lines = lines.filter(|line| line.contains("/films/") && line.contains(what));
        lines.count()
    };
    let (taken, answered) = (count("started processing request"), count(": answered "));
    println!("{received} requests answered until the app closed");
    assert_eq!((taken, answered), (received, received));
}

fn visitors_who_send_nothing_do_not_keep_the_app_running(plan: Plan) {
    let mut app = plan.open();
    let mut silent = Vec::new();
    for server in app.servers() {
        silent.push(say(server, ""));
        // A client that has received an answer, and keeps the connection for later.
        let mut served = say(server, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_ne!(served.read(&mut [0; 1024]).unwrap(), 0);
        silent.push(served);
        wait_for_the_silent(server);
    }
    app.servers().iter().for_each(Server::terminate);
    close(&mut app, AT_ONCE);
}

/// This is the only test that takes as long as the drain, so it runs on one backend.
#[test]
fn a_visitor_who_never_ends_a_request_is_cut_off_after_the_drain() {
    let mut app = Plan::memory().with("DRAIN", "2s").unminding().open();
    let half = say(app.first(), "GET / HTTP/1.1\r\nHost: x\r\n");
    wait_for_the_silent(app.first());
    app.first().terminate();
    let ends = close(&mut app, DRAIN);
    let told = |line: &String| line.contains("some requests were cut off");
    assert!(ends[0].log.iter().any(told), "{:?}", ends[0].log);
    drop(half);
}

fn say(server: &Server, said: &str) -> TcpStream {
    let mut connection = TcpStream::connect(server.address()).unwrap();
    connection.write_all(said.as_bytes()).unwrap();
    connection
}

/// Connections are accepted in order: once this one is answered, those before it are accepted.
fn wait_for_the_silent(server: &Server) {
    assert_eq!(Visitor::new().get(server, "/healthz").status, 200);
}

/// Waits until every process has ended as it should.
fn close(app: &mut App, patience: Duration) -> Vec<End> {
    let ends: Vec<_> = app
        .take_servers()
        .into_iter()
        .map(|server| server.end(patience))
        .collect();
    for end in &ends {
        assert_eq!(end.status.code(), Some(0), "{end:?}");
        assert_eq!(end.stderr, "");
        let last = end.log.last().unwrap();
        assert!(last.contains("matinee has stopped"), "{last}");
    }
    ends
}
