//! The command line.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use larder_ops::doctor::{CheckId, Use};

/// Examines and helps the store of an app: sessions, limits, queues, locks and caches on Redis.
///
/// The store is named by --url, or by the environment variable STORE_URL, which keeps the password out of the
/// list of processes.
#[derive(Debug, Parser)]
#[command(name = "larder", version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  larder doctor redis://host:6379 --uses cache,sessions
  larder --namespace prod:app queue ls
  larder session revoke --user 42
  larder cache purge --uri https://example.org/films --dry-run

Exit codes:
  0  done
  1  something was found, is not there, or was not done
  2  the command could not work: a wrong command line, or the store failed";

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The URL of the store, such as redis://host:6379 [default: STORE_URL]
    #[arg(long, global = true, value_name = "STORE_URL")]
    pub(crate) url: Option<String>,
    /// The namespace of the app's keys, such as prod:app
    #[arg(long, global = true, value_name = "ENV:APP")]
    pub(crate) namespace: Option<String>,
    /// Writes JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Destroys without asking
    #[arg(long, short, global = true)]
    pub(crate) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Examines the servers: what is wrong, and how to fix it
    Doctor(Doctor),
    /// Measures the round trip
    Ping {
        /// The URL of the store
        store_url: Option<String>,
        /// How often
        #[arg(long, short = 'n', default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        count: u32,
    },
    /// Counts and measures keys, slowly enough for production
    Scan {
        /// What the keys begin with
        #[arg(default_value = "")]
        prefix: String,
        /// How many of the largest keys are listed
        #[arg(long, default_value_t = 10)]
        largest: usize,
    },
    /// Lists and revokes sessions
    #[command(
        subcommand,
        after_help = "Examples:\n  larder session ls --user 42\n  larder session revoke --user 42"
    )]
    Session(Session),
    /// Shows and resets rate limits, and bans visitors
    #[command(
        subcommand,
        after_help = "Examples:\n  larder limit show pages\n  larder limit reset pages 203.0.113.7"
    )]
    Limit(Limit),
    /// Lists, inspects and helps job queues
    #[command(
        subcommand,
        after_help = "Examples:\n  larder queue inspect mail --state dead\n  larder queue redrive mail --max 10"
    )]
    Queue(Queue),
    /// Lists and breaks locks
    #[command(subcommand, after_help = "Example:\n  larder lock break report:7")]
    Lock(Lock),
    /// Shows, expires and purges cached values and responses
    #[command(
        subcommand,
        after_help = "Examples:\n  larder cache get 'film:{v0:7}'\n  larder cache purge --tag films --dry-run"
    )]
    Cache(Cache),
    /// Explains a key or a page: what it is, how old it is, and why it would be a miss
    #[command(
        after_help = "Examples:\n  larder explain 'film:{v0:7}'\n  larder explain https://example.org/films"
    )]
    Explain {
        /// The key, such as film:{v0:7}, or the URL of a page
        key: String,
    },
    /// Measures the latency of reads and writes at 1, 16 and 64 tasks
    Bench {
        /// The URL of the store
        store_url: Option<String>,
        /// How long each part runs, in milliseconds
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=60_000))]
        millis: u64,
    },
    /// Shows what the servers do, every second
    Top {
        /// The URL of the store
        store_url: Option<String>,
        /// How many pictures [default: until it is interrupted]
        #[arg(long, short = 'n')]
        count: Option<u64>,
        /// The pause between two pictures, in milliseconds
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=60_000))]
        interval: u64,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The URL of the store
    pub(crate) store_url: Option<String>,
    /// What the app uses it for: cache, limits, locks, queue, sessions [default: all]
    #[arg(long, value_delimiter = ',')]
    pub(crate) uses: Vec<Use>,
    /// What the app's keys begin with [default: the namespace]
    #[arg(long)]
    pub(crate) prefix: Option<String>,
    /// The ACL user of the app, whose rights are checked [default: the user of the URL]
    #[arg(long)]
    pub(crate) app_user: Option<String>,
    /// Expects a replica for each write
    #[arg(long)]
    pub(crate) replicas: bool,
    /// The timeout of the app's operations, in milliseconds
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub(crate) timeout: u64,
    /// The time between two readings of counters, in milliseconds
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(0..=60_000))]
    pub(crate) interval: u64,
    /// Shows only these checks, such as L003
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<CheckId>,
    /// Leaves these checks out
    #[arg(long, value_delimiter = ',')]
    pub(crate) silence: Vec<CheckId>,
    /// The status from which on the exit code is 1
    #[arg(long, value_enum, default_value_t = FailOn::Fail)]
    pub(crate) fail_on: FailOn,
    /// The Cargo.lock of the app, to look for two versions of larder-store
    #[arg(long)]
    pub(crate) lock: Option<PathBuf>,
    /// Shows what is ok too
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    Unknown,
    Warn,
    Fail,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Session {
    /// Lists sessions
    Ls {
        /// Those of one user
        #[arg(long)]
        user: Option<String>,
        /// How many at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Ends sessions: one, those of a user, or all
    Revoke {
        /// The user
        #[arg(long, required_unless_present = "all")]
        user: Option<String>,
        /// One session of the user, as `session ls --user` lists it
        #[arg(long, requires = "user")]
        device: Option<String>,
        /// Every session of every user
        #[arg(long, conflicts_with_all = ["user", "device"])]
        all: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Limit {
    /// Shows what visitors have used of a limit
    Show {
        /// The name of the policy
        policy: String,
        /// One visitor, such as an address, or a whole key
        visitor: Option<String>,
        /// How many visitors at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Refuses every request of a visitor for a while
    #[command(after_help = "Example:\n  larder limit ban sign-in 203.0.113.7 --for 12h")]
    Ban {
        /// The name of the policy
        policy: String,
        /// The visitor, such as an address, or a whole key
        visitor: String,
        /// For how long, such as 90s, 30m, 12h or 7d
        #[arg(long = "for", value_name = "TIME", value_parser = span)]
        lasts: Duration,
    },
    /// Ends the ban of a visitor
    #[command(visible_alias = "unban")]
    Forgive {
        /// The name of the policy
        policy: String,
        /// The visitor, such as an address, or a whole key
        visitor: String,
    },
    /// Gives visitors their whole quota back
    Reset {
        /// The name of the policy
        policy: String,
        /// One visitor, such as an address, or a whole key
        #[arg(required_unless_present = "all")]
        visitor: Option<String>,
        /// Every visitor
        #[arg(long, conflicts_with = "visitor")]
        all: bool,
    },
}

/// Reads a time such as `90s`, `30m`, `12h` or `7d`.
fn span(text: &str) -> Result<Duration, String> {
    const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];
    let found = UNITS.iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(*unit)?.parse().ok()?;
        number.checked_mul(*seconds).filter(|seconds| *seconds > 0)
    });
    let found = found.map(Duration::from_secs);
    found.ok_or_else(|| "expected a time such as 90s, 30m, 12h or 7d".to_owned())
}

/// A queue, and how many partitions it has.
#[derive(Debug, Args)]
pub(crate) struct QueueName {
    /// The name of the queue
    pub(crate) name: String,
    /// How many partitions the app gives it [default: the plain queue, and the partitions that have a record]
    #[arg(long, value_name = "N")]
    pub(crate) partitions: Option<NonZeroU16>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Queue {
    /// Lists queues, with the number of their jobs
    Ls,
    /// Shows a queue, and its jobs of one state
    Inspect {
        #[command(flatten)]
        queue: QueueName,
        /// Lists the jobs of this state
        #[arg(long, value_enum)]
        state: Option<JobState>,
        /// How many jobs at most
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// Shows why jobs failed
        #[arg(long)]
        show_values: bool,
    },
    /// Stops dequeues; jobs that run go on
    ///
    /// It pauses the plain queue and the partitions that have a record. With --partitions it pauses all partitions
    /// of that number, also those that have no record yet, and not the plain queue.
    Pause {
        #[command(flatten)]
        queue: QueueName,
    },
    /// Lets jobs be taken again
    Resume {
        #[command(flatten)]
        queue: QueueName,
    },
    /// Gives dead letters back to the queue
    Redrive {
        #[command(flatten)]
        queue: QueueName,
        /// How many at most [default: all]
        #[arg(long)]
        max: Option<u64>,
    },
    /// Removes all jobs of a state
    Purge {
        #[command(flatten)]
        queue: QueueName,
        /// The state
        #[arg(long, value_enum)]
        state: JobState,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum JobState {
    Waiting,
    Scheduled,
    Running,
    Dead,
    Done,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Lock {
    /// Lists locks that are held or waited for
    Ls,
    /// Takes a lock from whoever holds it
    Break {
        /// The name of the lock, or its whole key
        lock: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Cache {
    /// Shows a cached value: its size, age and TTL
    Get {
        /// The key, such as film:{v0:7}
        key: String,
        /// Shows the value too, escaped
        #[arg(long)]
        show_values: bool,
    },
    /// Makes values stale: they are loaded anew, and served if that fails
    Expire(Targets),
    /// Removes values
    Purge(Targets),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct What {
    /// Keys, such as film:{v0:7}
    pub(crate) keys: Vec<String>,
    /// Every value and response with this tag
    #[arg(long)]
    pub(crate) tag: Vec<String>,
    /// Every variant of a cached response
    #[arg(long)]
    pub(crate) uri: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Targets {
    #[command(flatten)]
    pub(crate) what: What,
    /// The name of the response cache, if it has one
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Says what would be done, and does nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_has_no_contradiction() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_time_has_a_unit_and_is_not_zero() {
        for (text, seconds) in [
            ("90s", 90),
            ("30m", 1_800),
            ("12h", 43_200),
            ("7d", 604_800),
        ] {
            assert_eq!(span(text), Ok(Duration::from_secs(seconds)));
        }
        for text in [
            "",
            "s",
            "0s",
            "-1s",
            "1.5h",
            "90",
            "1w",
            "99999999999999999999d",
            "9999999999999999999d",
        ] {
            assert!(span(text).is_err(), "{text:?}");
        }
    }
}
