//! Runs one of the long proofs; see `./scripts/prove --help`.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Arg, ArgAction, Command};
use larder_proofs::{PROOFS, leases, locks, write_or_check};

fn main() -> ExitCode {
    // What a proof calls itself as, to have another process.
    let args: Vec<_> = std::env::args().skip(1).collect();
    let worker = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [leases::WORKER, commits, url] => Some(leases::be_a_worker(commits, url)),
        [locks::WORKER, writes, url] => Some(locks::be_a_worker(writes, url)),
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
    let matches = Command::new("prove")
        .about("Runs one of the long proofs, and writes its table into docs/.")
        .after_help(format!("Proofs:\n{list}"))
        .arg(
            Arg::new("name")
                .value_name("NAME")
                .required(true)
                .value_parser(clap::builder::PossibleValuesParser::new(names)),
        )
        .arg(
            Arg::new("check")
                .long("check")
                .action(ArgAction::SetTrue)
                .help("Fail where a bar is missed or the page says something else"),
        )
        .get_matches();
    let name: &String = matches.get_one("name").expect("required");
    let proof = PROOFS.iter().find(|proof| proof.name == name);
    let proof = proof.expect("one of them");
    let started = Instant::now();
    let table = proof.run();
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
