//! Runs one of the long proofs; see `./scripts/prove --help`.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command};
use larder_proofs::{
    Choice, Limits, PROOFS, consistency, events, leases, locks, mutants, proofs_with, queue,
    rate_limits, write_behind, write_or_check,
};

fn main() -> ExitCode {
    // A proof that needs another process starts this program with such arguments.
    let args: Vec<_> = std::env::args().skip(1).collect();
    let worker = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [leases::WORKER, commits, url] => Some(leases::be_a_worker(commits, url)),
        [locks::WORKER, writes, url] => Some(locks::be_a_worker(writes, url)),
        [events::WORKER, role, contender, url] => Some(events::be_a_worker(role, contender, url)),
        [rate_limits::WORKER, algorithm, url] => Some(rate_limits::be_a_worker(algorithm, url)),
        [queue::WORKER, role, contender, url] => Some(queue::be_a_worker(role, contender, url)),
        _ => None,
    };
    if let Some(done) = worker {
        return done.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let worker = match args.split_first().map(|(it, rest)| (it.as_str(), rest)) {
        Some((consistency::WORKER, rest)) => Some(consistency::be_a_worker(rest)),
        Some((write_behind::WORKER, rest)) => Some(write_behind::be_a_worker(rest)),
        _ => None,
    };
    if let Some(done) = worker {
        return done.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
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
    let proof = PROOFS.iter().find(|proof| proof.name == name);
    let proof = proof.expect("one of them");
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
