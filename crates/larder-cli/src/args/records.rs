//! The commands about sessions, limits, queues, locks and caches.

use std::num::NonZeroU16;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::values::{MANY, number, span};

#[derive(Debug, Subcommand)]
pub(crate) enum Session {
    /// Lists sessions
    Ls {
        /// Only those of this user
        #[arg(long)]
        user: Option<String>,
        /// The maximum number of sessions to look at
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = number(1..=MANY))]
        limit: usize,
    },
    /// Ends sessions: one, those of a user, or all
    #[command(
        override_usage = "larder session revoke [OPTIONS] --user <USER> [--device <DEVICE>]\n       larder session revoke [OPTIONS] --all"
    )]
    Revoke {
        /// The user whose sessions end
        #[arg(long, required_unless_present = "all")]
        user: Option<String>,
        /// Ends only this session of the user, by its device in `session ls --user`
        #[arg(long, requires = "user")]
        device: Option<String>,
        /// Ends every session of every user
        #[arg(long, conflicts_with_all = ["user", "device"])]
        all: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Limit {
    /// Shows what visitors have used of a limit
    Show {
        /// The name of the policy, as the app passes it to its limiter
        policy: String,
        /// One visitor: an address, a user, a whole key, or as it is listed [default: all]
        visitor: Option<String>,
        /// The maximum number of visitors to look at
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = number(1..=MANY))]
        limit: usize,
    },
    /// Refuses every request of a visitor for a while
    #[command(after_help = "Example:\n  larder limit ban sign-in 203.0.113.7 --for 12h")]
    Ban {
        /// The name of the policy, as the app passes it to its limiter
        policy: String,
        /// The visitor: an address, a user, a whole key, or as `limit show` lists it
        visitor: String,
        /// For how long, such as 90s, 30m, 12h or 7d
        #[arg(long = "for", value_name = "TIME", value_parser = span)]
        lasts: Duration,
    },
    /// Ends the ban of a visitor
    #[command(visible_alias = "unban")]
    Forgive {
        /// The name of the policy, as the app passes it to its limiter
        policy: String,
        /// The visitor: an address, a user, a whole key, or as `limit show` lists it
        visitor: String,
    },
    /// Gives visitors their whole quota back, and ends their bans
    #[command(
        override_usage = "larder limit reset [OPTIONS] <POLICY> <VISITOR>\n       larder limit reset [OPTIONS] <POLICY> --all"
    )]
    Reset {
        /// The name of the policy, as the app passes it to its limiter
        policy: String,
        /// One visitor: an address, a user, a whole key, or as `limit show` lists it
        #[arg(required_unless_present = "all")]
        visitor: Option<String>,
        /// Resets every visitor of the policy
        #[arg(long, conflicts_with = "visitor")]
        all: bool,
    },
}

/// A queue, and how many partitions it has.
#[derive(Debug, Args)]
pub(crate) struct QueueName {
    /// The queue: its id as `queue ls` lists it, its whole key, or its name in the app
    pub(crate) name: String,
    /// The number of partitions in the app [default: the plain queue, and the partitions that have a record]
    #[arg(long, value_name = "N", value_parser = number(NonZeroU16::MIN..=NonZeroU16::MAX))]
    pub(crate) partitions: Option<NonZeroU16>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Queue {
    /// Lists queues and partitions, with the number of their jobs
    Ls {
        /// The maximum number of queues to look at
        #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = number(1..=MANY))]
        limit: usize,
    },
    /// Shows the counts of a queue, and with --state its jobs
    Inspect {
        #[command(flatten)]
        queue: QueueName,
        /// Lists the jobs of this state
        #[arg(long, value_enum)]
        state: Option<JobState>,
        /// The maximum number of jobs to list
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = number(1..=MANY))]
        limit: usize,
        /// Shows why jobs failed, in the words of their handlers
        #[arg(long)]
        show_values: bool,
    },
    /// Stops dequeues; running jobs continue
    ///
    /// It pauses the plain queue and the partitions that have a record. With --partitions it pauses that many
    /// partitions, even those that have no record yet, and not the plain queue.
    Pause {
        #[command(flatten)]
        queue: QueueName,
    },
    /// Lets jobs be taken again
    Resume {
        #[command(flatten)]
        queue: QueueName,
    },
    /// Puts dead letters back into the queue
    Redrive {
        #[command(flatten)]
        queue: QueueName,
        /// The maximum number of dead letters [default: all]
        #[arg(long, value_name = "N", value_parser = number(1..=u64::MAX))]
        max: Option<u64>,
    },
    /// Removes all jobs of a state
    Purge {
        #[command(flatten)]
        queue: QueueName,
        /// The state of the jobs to remove
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
pub(crate) enum Events {
    /// Lists event logs, with the number of their events, groups and dead letters
    Ls {
        /// The maximum number of logs to look at
        #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = number(1..=MANY))]
        limit: usize,
    },
    /// Lists the dead letters of a log, of all groups, the oldest first
    Dead {
        /// The log: its whole key, or as `events ls` lists it
        log: String,
        /// The maximum number of dead letters to list
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = number(1..=MANY))]
        limit: usize,
        /// Also shows the events, and why they were not handled
        #[arg(long)]
        show_values: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Lock {
    /// Lists locks and semaphores that are held or waited for, a line for each holder
    Ls {
        /// The maximum number of locks to look at, including those that nobody holds any more
        #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = number(1..=MANY))]
        limit: usize,
    },
    /// Takes a lock, or all permits of a semaphore, from its holders
    Break {
        /// The lock or semaphore as `lock ls` lists it, its whole key, or the name of the lock in the app
        lock: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Cache {
    /// Shows a cached value: its size, age and TTL
    Get {
        /// The key, such as film:{v0:7}
        key: String,
        /// Also shows the value, escaped
        #[arg(long)]
        show_values: bool,
    },
    /// Makes values and responses stale: they are loaded again, and still served if the load fails
    Expire(Targets),
    /// Removes values and responses
    Purge(Targets),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct What {
    /// The keys of values, such as film:{v0:7}
    pub(crate) keys: Vec<String>,
    /// Every value and every response with this tag; may be repeated
    #[arg(long)]
    pub(crate) tag: Vec<String>,
    /// Every response for this absolute URI, with the query parameters that are part of its key; may be repeated
    #[arg(long)]
    pub(crate) uri: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Targets {
    #[command(flatten)]
    pub(crate) what: What,
    /// Shows what would be done, without doing it
    #[arg(long)]
    pub(crate) dry_run: bool,
}
