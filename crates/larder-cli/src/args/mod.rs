//! The command line.

mod records;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use larder_ops::doctor::{CheckId, Use};

pub(crate) use records::{
    Cache, Events, JobState, Limit, Lock, Queue, QueueName, Session, Targets,
};
use values::{MANY, number};

/// Inspects and repairs the store of an app: sessions, limits, queues, locks and caches on Redis or Valkey.
///
/// Name the store by --url, or by the environment variable STORE_URL, which keeps the password out of the list of
/// processes.
#[derive(Debug, Parser)]
#[command(name = "larder", version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten, next_help_heading = "Options of every command")]
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
  1  a problem was found, something is missing, or not everything was done
  2  the command failed: a wrong command line, or an error of the store";

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The URL of the store: redis://, rediss://, redis+cluster:// or redis+sentinel:// [default: the environment variable STORE_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The namespace of the app's keys, such as prod:app [default: none]
    #[arg(long, global = true, value_name = "ENV:APP")]
    pub(crate) namespace: Option<String>,
    /// Writes JSON instead of tables and sentences
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Answers yes to the confirmation that a command asks for
    #[arg(long, short, global = true)]
    pub(crate) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Examines the servers: what is wrong, and how to fix it
    Doctor(Doctor),
    /// Measures the round trip to each server
    Ping {
        /// The URL of the store [default: that of --url]
        #[arg(value_name = "URL")]
        store_url: Option<String>,
        /// The number of pings to each server
        #[arg(long, short = 'n', value_name = "TIMES", default_value_t = 5, value_parser = number(1..=10_000_u32))]
        count: u32,
    },
    /// Counts and measures keys by kind, slowly enough for production
    Scan {
        /// The prefix of the keys, such as film:{ [default: all keys of the namespace]
        #[arg(default_value = "", hide_default_value = true)]
        prefix: String,
        /// How many of the largest keys to list
        #[arg(long, value_name = "N", default_value_t = 10, value_parser = number(0..=MANY))]
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
    /// Lists, inspects and repairs job queues
    #[command(
        subcommand,
        after_help = "Examples:\n  larder queue inspect mail --state dead\n  larder queue redrive mail --max 10"
    )]
    Queue(Queue),
    /// Lists event logs and their dead letters
    #[command(
        subcommand,
        after_help = "Examples:\n  larder events ls\n  larder events dead orders:all --show-values"
    )]
    Events(Events),
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
    ///
    /// It writes and removes 64 small keys of its own, and loads the servers while it runs.
    Bench {
        /// The URL of the store [default: that of --url]
        #[arg(value_name = "URL")]
        store_url: Option<String>,
        /// How long each of the six parts runs, in milliseconds
        #[arg(long, default_value_t = 1_000, value_parser = number(1..=60_000_u64))]
        millis: u64,
    },
    /// Shows what the servers are doing, refreshed until interrupted
    Top {
        /// The URL of the store [default: that of --url]
        #[arg(value_name = "URL")]
        store_url: Option<String>,
        /// Ends after this many tables [default: when it is interrupted]
        #[arg(long, short = 'n', value_name = "TABLES", value_parser = number(1..=u64::MAX))]
        count: Option<u64>,
        /// The pause between two tables, in milliseconds
        #[arg(long, value_name = "MILLIS", default_value_t = 1_000, value_parser = number(1..=60_000_u64))]
        interval: u64,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The URL of the store [default: that of --url]
    #[arg(value_name = "URL")]
    pub(crate) store_url: Option<String>,
    /// What the app uses it for: cache, limits, locks, queue, sessions, separated by commas [default: all]
    #[arg(long, value_delimiter = ',')]
    pub(crate) uses: Vec<Use>,
    /// The prefix of the app's keys [default: the namespace]
    #[arg(long)]
    pub(crate) prefix: Option<String>,
    /// The ACL user of the app, whose rights are checked [default: the user of the URL]
    #[arg(long, value_name = "USER")]
    pub(crate) app_user: Option<String>,
    /// Expects replicas to confirm each write; set it if the app does (`with_replicas`)
    #[arg(long)]
    pub(crate) replicas: bool,
    /// The timeout of the app's operations, in milliseconds; round trips are compared with it
    #[arg(long, value_name = "MILLIS", default_value_t = 100, value_parser = number(1..=600_000_u64))]
    pub(crate) timeout: u64,
    /// The time between two readings of counters that should not rise, in milliseconds
    #[arg(long, value_name = "MILLIS", default_value_t = 1_000, value_parser = number(0..=60_000_u64))]
    pub(crate) interval: u64,
    /// Shows only these checks, such as L003,L013
    #[arg(long, value_name = "CHECKS", value_delimiter = ',')]
    pub(crate) only: Vec<CheckId>,
    /// Omits these checks, such as L016
    #[arg(long, value_name = "CHECKS", value_delimiter = ',')]
    pub(crate) silence: Vec<CheckId>,
    /// Exits with 1 if a result is this bad, or worse
    #[arg(long, value_enum, default_value_t = FailOn::Fail)]
    pub(crate) fail_on: FailOn,
    /// The Cargo.lock of the app, in which check A012 looks for two versions of larder-store
    #[arg(long, value_name = "FILE")]
    pub(crate) lock: Option<PathBuf>,
    /// Also shows the checks that are ok
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    Unknown,
    Warn,
    Fail,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_has_no_contradiction() {
        Cli::command().debug_assert();
    }

    /// The commands that begin with `larder` in the code of a page, a line or a span each.
    fn commands(page: &str) -> Vec<String> {
        let (mut is_block, mut found) = (false, Vec::new());
        for line in page.lines() {
            if line.starts_with("```") {
                is_block = !is_block;
            } else if is_block {
                found.push(line.trim().to_owned());
            } else {
                found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
            }
        }
        // A table of crates, or a line of Cargo.toml, begins with the name alone.
        let is_command =
            |rest: &str| rest.starts_with(|sign: char| sign.is_ascii_lowercase() || sign == '-');
        found.retain(|command| command.strip_prefix("larder ").is_some_and(is_command));
        found
    }

    #[test]
    fn every_command_that_a_page_names_is_accepted() {
        use clap::error::ErrorKind::{
            DisplayHelpOnMissingArgumentOrSubcommand, MissingRequiredArgument, MissingSubcommand,
        };
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let pages = std::fs::read_dir(root.join("docs")).unwrap();
        let pages = pages.map(|page| page.unwrap().path());
        let more = ["README.md", "crates/larder-cli/README.md"].map(|page| root.join(page));
        let mut accepted = 0;
        for page in pages
            .chain(more)
            .filter(|page| page.extension() == Some("md".as_ref()))
        {
            for command in commands(&std::fs::read_to_string(&page).unwrap()) {
                // A number replaces the N of a page.
                let words = command.split(" #").next().unwrap().split_whitespace();
                let words = words.map(|word| {
                    if word == "N" {
                        "3"
                    } else {
                        word.trim_matches('\'')
                    }
                });
                match Cli::try_parse_from(words) {
                    Ok(_) => accepted += 1,
                    // A sentence may name just the command.
                    Err(error) => assert!(
                        matches!(
                            error.kind(),
                            DisplayHelpOnMissingArgumentOrSubcommand
                                | MissingRequiredArgument
                                | MissingSubcommand
                        ),
                        "{}: {command}: {error}",
                        page.display()
                    ),
                }
            }
        }
        assert!(accepted > 30, "the pages name {accepted} commands");
    }

    #[test]
    fn every_command_and_flag_has_a_help_text() {
        fn check(command: &clap::Command) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name}");
            for argument in command
                .get_arguments()
                .filter(|it| it.get_id() != "version")
            {
                assert!(argument.get_help().is_some(), "{name} {argument}");
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
