//! Visitors of every kind.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use larder_test::server::RedisServer;

use crate::app::App;
use crate::seats::{a_showing, ask, insist};
use crate::server::Server;
use crate::visitor::{ADA, Answer, GRACE, Visitor};

/// The number of concurrent visitors.
const VISITORS: usize = 6;
/// The number of all addresses, so that the state kept for them is bounded.
const ADDRESSES: usize = 200;

/// The seats in a row of the smallest screen. The screen of the last showing depends on the day.
const SEATS: usize = 7;
/// The number of films that only the calm visits request: so many that none is near when its turn
/// comes again.
const UNSEEN: usize = 800;
/// How long a visitor looks at a page: this test is about hours, not about load.
const THINKING: Duration = Duration::from_millis(20);

/// Visitors, and what they got.
pub(super) struct Traffic {
    showing: String,
    next: AtomicUsize,
    films: AtomicUsize,
    requests: AtomicUsize,
    unanswered: AtomicUsize,
    unexpected: AtomicUsize,
    refused: AtomicUsize,
}

/// What the visitors got.
pub(super) struct Seen {
    pub(super) requests: usize,
    /// There was no complete answer.
    pub(super) unanswered: usize,
    /// A status that means that the app, and not its store, is at fault.
    pub(super) unexpected: usize,
    /// 503, which is right while the store is down.
    refused: usize,
}

impl Traffic {
    pub(super) fn of(app: &App) -> Self {
        let showing = a_showing(app);
        let [next, films, requests, unanswered, unexpected, refused] =
            [const { AtomicUsize::new(0) }; 6];
        Self {
            showing,
            next,
            films,
            requests,
            unanswered,
            unexpected,
            refused,
        }
    }

    pub(super) fn seen(&self) -> Seen {
        let [requests, unanswered, unexpected, refused] = [
            &self.requests,
            &self.unanswered,
            &self.unexpected,
            &self.refused,
        ]
        .map(|count| count.load(Ordering::Relaxed));
        Seen {
            requests,
            unanswered,
            unexpected,
            refused,
        }
    }

    /// Lets visitors come until `what` has finished.
    pub(super) fn during(&self, app: &mut App, what: impl FnOnce(&mut RedisServer)) {
        let stop = AtomicBool::new(false);
        let (servers, redis) = app.parts();
        thread::scope(|scope| {
            for number in 0..VISITORS {
                let (server, stop) = (&servers[number % servers.len()], &stop);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        self.visit(server, self.next.fetch_add(1, Ordering::Relaxed));
                        thread::sleep(THINKING);
                    }
                });
            }
            // The visitors also stop if this panics.
            let _leave = Raise(&stop);
            what(redis);
        });
    }

    /// Makes one visit; the number determines its kind.
    fn visit(&self, server: &Server, number: usize) {
        let visitor = Visitor::forwarded(format!("10.0.0.{}", number % ADDRESSES));
        let film = number / 8;
        match number % 8 {
            0 => self.get(&visitor, server, "/"),
            1 => self.get(&visitor, server, &format!("/films/{}", 10 + film % 200)),
            2 => self.get(
                &visitor,
                server,
                &format!("/api/films/{}", 100 + film % 200),
            ),
            3 => self.get(&visitor, server, &format!("/?q={}", film % 100)),
            4 => self.get(&visitor, server, &self.showing),
            5 => self.watch(&visitor, server),
            _ => self.sign_in(&visitor, server, number),
        }
    }

    /// Opens the live page of a showing, and leaves.
    fn watch(&self, visitor: &Visitor, server: &Server) {
        let path = format!("{}/live", self.showing);
        self.note(visitor.try_open(server, &path));
    }

    /// Signs in, holds a seat, releases it and signs out, as far as the store allows.
    fn sign_in(&self, visitor: &Visitor, server: &Server, number: usize) {
        let account = [ADA, GRACE][number % 2];
        let form = [("email", account.email), ("password", account.password)];
        let post = |path: &str, form: &[(&str, &str)]| {
            self.note(
                visitor
                    .try_post(server, path, form)
                    .map(|answer| answer.status.as_u16()),
            );
        };
        post("/sign-in", &form);
        if visitor.cookies().header().is_none() {
            return;
        }
        let seat = format!("C{}", 1 + number % SEATS);
        post(&format!("{}/hold", self.showing), &[("seat", &seat)]);
        self.get(visitor, server, "/account");
        post(&format!("{}/release", self.showing), &[("seat", &seat)]);
        post("/sign-out", &[]);
    }

    /// Returns whether a film that one process loads is a far hit for the other.
    pub(super) fn is_shared(&self, app: &App) -> bool {
        let path = format!("/api/films/{}", self.unseen());
        let visitor = Visitor::forwarded("10.0.2.1");
        let sources = app.servers().iter().map(|server| {
            let answer = visitor.get(server, &path);
            answer.source().to_owned()
        });
        sources.collect::<Vec<_>>() == ["miss loaded", "hit far"]
    }

    /// Makes visits one by one, the same number each time, to pages that no process has near.
    pub(super) fn calm(&self, app: &App) {
        let done = |ask: &dyn Fn() -> Answer| {
            let answer = insist(ask);
            assert!(answer.status.as_u16() < 400, "{answer:?}");
        };
        let showing = &self.showing;
        for (at, server) in app.servers().iter().enumerate() {
            for number in 0..10 {
                let visitor = Visitor::forwarded(format!("10.0.1.{number}"));
                for path in ["/films", "/api/films"] {
                    let path = format!("{path}/{}", self.unseen());
                    done(&|| visitor.get(server, &path));
                }
            }
            let visitor = Visitor::forwarded(format!("10.0.2.{at}"));
            let seat = ["C1", "C2"][at % 2];
            done(&|| visitor.try_sign_in(server, ADA.email, ADA.password));
            done(&|| ask(&visitor, server, showing, "hold", &[seat]));
            done(&|| ask(&visitor, server, showing, "release", &[seat]));
            done(&|| visitor.post(server, "/sign-out", &[]));
        }
    }

    /// Returns a film that nobody has requested for long.
    fn unseen(&self) -> usize {
        400 + self.films.fetch_add(1, Ordering::Relaxed) % UNSEEN
    }

    fn get(&self, visitor: &Visitor, server: &Server, path: &str) {
        self.note(
            visitor
                .try_get(server, path)
                .map(|answer| answer.status.as_u16()),
        );
    }

    fn note(&self, status: Result<u16, ureq::Error>) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let count = match status {
            // If somebody else holds the seat, the answer is 409.
            Ok(200 | 303 | 409 | 429) => return,
            Ok(503) => &self.refused,
            Ok(status) => {
                println!("an answer with {status}");
                &self.unexpected
            }
            Err(error) => {
                println!("no answer: {error}");
                &self.unanswered
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

struct Raise<'a>(&'a AtomicBool);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            requests,
            unanswered,
            unexpected,
            refused,
        } = self;
        write!(
            f,
            "{requests} requests, {refused} answered with 503, {unexpected} with what is not expected, \
             {unanswered} not at all"
        )
    }
}
