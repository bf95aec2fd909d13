//! Runs one of the long proofs; see `./scripts/prove --help`.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command};
use larder_proofs::{
    Choice, Limits, PROOFS, Proof, consistency, events, leases, locks, mutants, proofs_with, queue,
    rate_limits, write_behind, write_or_check,
};

/// The name of a process that a proof starts, and what it does with its work.
type Role = (&'static str, fn(&str) -> io::Result<()>);

/// The processes that proofs start: this program, with its name and its work as arguments.
const WORKERS: [Role; 7] = [
    (consistency::WORKER, consistency::be_a_worker),
    (events::WORKER, events::be_a_worker),
    (leases::WORKER, leases::be_a_worker),
    (locks::WORKER, locks::be_a_worker),
    (queue::WORKER, queue::be_a_worker),
    (rate_limits::WORKER, rate_limits::be_a_worker),
    (write_behind::WORKER, write_behind::be_a_worker),
];

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    if let [name, work] = &args[..]
        && let Some((_, be_a_worker)) = WORKERS.iter().find(|(worker, _)| worker == name)
    {
        return be_a_worker(work).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let names = PROOFS.iter().map(|proof| proof.name);
    let list: String = PROOFS
        .iter()
        .map(|proof| format!("  {:12} {}\n", proof.name, proof.about))
        .collect();
    let for_those = |help: &str, choice| {
        let proofs: Vec<_> = proofs_with(choice).collect();
        format!("{help} ({})", proofs.join(", "))
    };
    let number = clap::value_parser!(u64).range(1..);
    let mut command = Command::new("prove")
        .about("Runs one of the long proofs, and writes its table into docs/.")
        .after_help(format!("Proofs:\n{list}"))
        .arg(
            Arg::new("name")
                .value_name("NAME")
                .required(true)
                .value_parser(clap::builder::PossibleValuesParser::new(names)),
        )
        .arg(
            Arg::new("area")
                .value_name("AREA")
                .value_parser(clap::builder::PossibleValuesParser::new(mutants::areas()))
                .help(
                    "The area to change (mutants); without one its page is made from what is known",
                ),
        )
        .arg(
            Arg::new("shard")
                .long("shard")
                .value_name("K/N")
                .value_parser(mutants::Shard::parse)
                .requires("area")
                .help("Run the Kth of N parts of the area (mutants)"),
        )
        .arg(
            Arg::new("again")
                .long("again")
                .action(ArgAction::SetTrue)
                .requires("area")
                .help("Run only what the last run of the area did not catch (mutants)"),
        )
        .arg(
            Arg::new("check")
                .long("check")
                .action(ArgAction::SetTrue)
                .help("Fail if a bar is missed or the page differs"),
        )
        .arg(
            Arg::new("inputs")
                .long("inputs")
                .value_name("NUMBER")
                .value_parser(number)
                .help(for_those(
                    "Stop after this many inputs, values or visitors",
                    Choice::Inputs,
                )),
        )
        .arg(
            Arg::new("seconds")
                .long("seconds")
                .value_name("NUMBER")
                .value_parser(number)
                .help(for_those(
                    "Stop each row after this many seconds",
                    Choice::Seconds,
                )),
        )
        .arg(
            Arg::new("rounds")
                .long("rounds")
                .value_name("NUMBER")
                .value_parser(number)
                .help(for_those(
                    "Stop after this many kills and pauses, or rounds",
                    Choice::Rounds,
                )),
        );
    let matches = command.get_matches_mut();
    let area: Option<&String> = matches.get_one("area");
    let limits = Limits {
        inputs: matches.get_one("inputs").copied(),
        rounds: matches.get_one("rounds").copied(),
        time: matches.get_one("seconds").copied().map(Duration::from_secs),
        area: area.and_then(|area| mutants::areas().find(|name| name == area)),
        shard: matches.get_one("shard").copied(),
        again: matches.get_flag("again"),
    };
    let name: &String = matches.get_one("name").expect("required");
    let proof = Proof::named(name).expect("one of them");
    if let Err(wrong) = proof.check(&limits) {
        command.error(ErrorKind::ArgumentConflict, wrong).exit();
    }
    let started = Instant::now();
    let table = proof.run(&limits);
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{table}\n{name}: {:.0?}", started.elapsed());
    match write_or_check(&proof.page(), &table, matches.get_flag("check")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            for line in wrong {
                let _ = writeln!(out, "{name}: {line}");
            }
            ExitCode::FAILURE
        }
    }
}
