//! A job queue under fire: no acknowledged job is lost, and no stale ack is accepted.

pub mod checker;
mod event;
pub(crate) mod ledger;
pub(crate) mod processes;
pub mod work;

use std::time::{Duration, Instant};

use larder_test::server::{RedisOptions, RedisServer};
use serde::{Deserialize, Serialize};

use crate::{Limits, Table};
pub use event::{Event, What};
use ledger::Words;
use processes::{Member, Role, Work};
pub use processes::{WORKER, be_a_worker};

const PRODUCERS: usize = 2;
const CONSUMERS: usize = 3;

/// How many times something is killed or paused by default.
const ROUNDS: u64 = 200;

/// The rounds without the fence: the faults are found soon.
const UNFENCED_ROUNDS: u64 = 40;

/// The seed of a run, from which its processes have theirs.
const SEED: u64 = 13;

/// How an ack is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Contender {
    /// With the fence of the lease, as a delivery does it.
    Fenced,
    /// By the id of the job alone, as many queues do it: to show that the checker sees it.
    Unfenced,
}

/// Producers and workers in processes, of which one is killed or paused in each round, or the server is.
#[must_use]
pub fn prove(limits: &Limits) -> Table {
    let words = Words {
        enqueued: "jobs",
        taken: "taken",
        lost: "jobs lost",
        acked_twice: "jobs acked twice",
        miscounted: "attempts miscounted",
        fenced: "with the fence",
        unfenced: "without it, to see that it is noticed",
        clean: "as leases allow",
    };
    ledger::prove(WORKER, &words, limits)
}

/// How many rounds a contender goes through.
fn rounds_of(contender: Contender, limits: &Limits) -> u64 {
    match contender {
        Contender::Fenced => limits.rounds.unwrap_or(ROUNDS),
        Contender::Unfenced => limits
            .rounds
            .unwrap_or(UNFENCED_ROUNDS)
            .min(UNFENCED_ROUNDS),
    }
}

/// Runs the processes for `rounds` or for `time`, and then until the queue is empty.
fn run(
    worker: &'static str,
    contender: Contender,
    rounds: u64,
    time: Option<Duration>,
) -> (Vec<Event>, u64) {
    let mut server = durable_server();
    let producers = (0..PRODUCERS).map(|_| Role::Producer);
    let consumers = (0..CONSUMERS).map(|_| Role::Consumer);
    // A worker always acks with the fence.
    let of_loop = (contender == Contender::Fenced).then_some(Role::Worker);
    let roles = producers.chain(consumers).chain(of_loop);
    let start = |(member, role)| {
        let url = server.url();
        let work = Work {
            role,
            contender,
            url,
            seed: SEED << 32 | member << 16,
        };
        Member::start(worker, work)
    };
    let mut members: Vec<_> = (0_u64..).zip(roles).map(start).collect();
    let mut random = fastrand::Rng::with_seed(SEED);
    let until = time.map(|time| Instant::now() + time);
    let mut done = 0;
    while done < rounds && until.is_none_or(|until| Instant::now() < until) {
        std::thread::sleep(Duration::from_millis(random.u64(100..500)));
        strike(&mut server, &mut members, &mut random);
        done += 1;
    }
    let (workers, producers): (Vec<_>, Vec<_>) = members
        .into_iter()
        .partition(|member| member.work.role != Role::Producer);
    // Nothing is added any more, so the workers can empty the queue.
    let mut history: Vec<_> = producers.into_iter().flat_map(Member::finish).collect();
    let mut workers = workers;
    for it in &mut workers {
        it.worker.tell_to_stop();
    }
    history.extend(workers.into_iter().flat_map(Member::finish));
    (history, done)
}

/// A server that has what it acknowledged after it was killed.
///
/// # Panics
/// If it does not start.
#[must_use]
pub fn durable_server() -> RedisServer {
    let options = RedisOptions::new()
        .with_setting("appendonly", "yes")
        .with_setting("appendfsync", "always");
    options.start().expect("a redis-server")
}

fn strike(server: &mut RedisServer, members: &mut [Member], random: &mut fastrand::Rng) {
    let member = random.usize(..members.len());
    let moment = Duration::from_millis(random.u64(20..900));
    match random.u8(..10) {
        0 => strike_server(server, true, moment),
        1 => strike_server(server, false, moment),
        2..6 => members[member].kill(),
        _ => members[member].worker.pause(moment),
    }
}

/// Kills the server and starts it again, or freezes it for a moment. Blocks.
///
/// # Panics
/// If it does not come back.
pub fn strike_server(server: &mut RedisServer, is_kill: bool, moment: Duration) {
    match is_kill {
        true => {
            server.kill();
            server.restart().expect("a server that comes back");
        }
        false => {
            server.stop().expect("SIGSTOP");
            std::thread::sleep(moment.min(Duration::from_millis(400)));
            server.cont().expect("SIGCONT");
        }
    }
}
