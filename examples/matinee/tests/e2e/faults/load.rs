//! Visitors who keep coming while something happens to the store.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::app::App;
use crate::server::Server;
use crate::visitor::Visitor;

/// Eight visitors at a time; each request is from an address that has not been used before.
pub(super) struct Load {
    next: AtomicUsize,
}

/// What the visitors got.
pub(super) struct Seen {
    pub(super) requests: usize,
    pub(super) worst: Duration,
    median: Duration,
    failed_open: u64,
    far_errors: u64,
}

const VISITORS: usize = 8;

impl Load {
    pub(super) fn new() -> Self {
        Self {
            next: AtomicUsize::new(0),
        }
    }

    /// Lets visitors come until `what` has finished. Each of them must get every page, or this
    /// panics.
    pub(super) fn during(&self, app: &App, what: impl FnOnce()) -> Seen {
        let stop = AtomicBool::new(false);
        let mut times: Vec<Duration> = thread::scope(|scope| {
            let crowd: Vec<_> = (0..VISITORS)
                .map(|number| {
                    let server = &app.servers()[number % app.servers().len()];
                    let stop = &stop;
                    scope.spawn(move || self.visit(server, stop))
                })
                .collect();
            // The visitors also stop if this panics.
            let _leave = Raise(&stop);
            what();
            drop(_leave);
            crowd
                .into_iter()
                .flat_map(|it| it.join().unwrap())
                .collect()
        });
        times.sort_unstable();
        let count = |name, labels: &[&str]| {
            let servers = app.servers().iter();
            let counts =
                servers.map(|server| Visitor::new().get(server, "/metrics").metric(name, labels));
            counts.sum()
        };
        Seen {
            requests: times.len(),
            worst: times.last().copied().unwrap_or_default(),
            median: times.get(times.len() / 2).copied().unwrap_or_default(),
            failed_open: count(
                "larder_rate_limit_decisions_total",
                &["outcome=\"failed_open\""],
            ),
            far_errors: count("larder_cache_far_errors_total", &[]),
        }
    }

    fn visit(&self, server: &Server, stop: &AtomicBool) -> Vec<Duration> {
        let mut times = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let address = format!("10.{}.{}.{}", number >> 16, number >> 8 & 255, number & 255);
            // Some of the pages are near after a while, others never.
            let path = match number % 4 {
                0 => "/".to_owned(),
                1 => format!("/films/{}", 10 + number % 40),
                2 => format!("/api/films/{}", 100 + number % 2_500),
                _ => format!("/?q={number}"),
            };
            let start = Instant::now();
            let answer = Visitor::forwarded(address).get(server, &path);
            times.push(start.elapsed());
            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        }
        times
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
        write!(
            f,
            "{} requests, all answered with 200; median {:?}, worst {:?}; {} let in uncounted, \
             {} times the far store failed",
            self.requests, self.median, self.worst, self.failed_open, self.far_errors
        )
    }
}
