//! How larder scales: with tasks, with the size of values, with a million entries, and with servers.
//!
//! A part runs in processes of its own, which print rows of cells. Tables and charts are made of these
//! cells and of nothing else.

mod bytes;
mod capacity;
mod chart;
mod contenders;
mod derive;
mod operations;
mod page;
mod site;
mod sweep;
mod table;

use std::error::Error;
use std::process::{Command, Stdio};

use larder_test::server::RedisServer;

use self::table::{Out, Tables};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How much is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    /// A little of everything, to see whether it runs. Nothing is written.
    Quick,
}

/// The argument of a process that measures one unit.
const UNIT: &str = "scale-unit";
const QUICK: &str = "--quick";

/// A measurement and its name.
type Unit = (&'static str, fn(&str, Extent, &mut Out));

/// A part and what is measured for it, each in a process of its own.
struct Part {
    name: &'static str,
    units: &'static [Unit],
}

const PARTS: &[Part] = &[
    Part {
        name: "tasks",
        units: &[("tasks", sweep::tasks)],
    },
    Part {
        name: "values",
        units: &[("values", sweep::values)],
    },
    Part {
        name: "bytes",
        units: bytes::UNITS,
    },
    Part {
        name: "capacity",
        units: &[
            ("capacity-memory", capacity::in_process),
            ("capacity-redis", capacity::on_redis),
        ],
    },
];

/// Measures the parts that are named after `scale`, or all, prints their tables, and writes these and
/// their charts into the pages.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let (options, named): (Vec<_>, Vec<_>) = args.iter().partition(|arg| arg.starts_with("--"));
    if let Some(unknown) = options.iter().find(|option| option.as_str() != QUICK) {
        return Err(format!("'{unknown}' is not an option of scale: expected {QUICK}").into());
    }
    let names: Vec<_> = PARTS.iter().map(|part| part.name).collect();
    if let Some(unknown) = named.iter().find(|name| !names.contains(&name.as_str())) {
        let names = names.join(", ");
        return Err(format!("'{unknown}' is not a part of scale: expected {names}").into());
    }
    let is_quick = !options.is_empty();
    let mut tables = Tables::default();
    for part in PARTS {
        if named.is_empty() || named.iter().any(|name| *name == part.name) {
            for (unit, _) in part.units {
                eprintln!("{}: {unit}", part.name);
                tables.read(&measured_apart(unit, is_quick)?);
            }
        }
    }
    derive::add_derived(&mut tables);
    for (name, table) in tables.iter() {
        println!("\n{name}\n\n{}", table.markdown());
    }
    match is_quick {
        true => Ok(()),
        false => page::write(&tables),
    }
}

/// The rows of a unit, measured in a process of its own: what another left of the heap is nothing to it.
fn measured_apart(unit: &str, is_quick: bool) -> Result<String> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([UNIT, unit]).args(is_quick.then_some(QUICK));
    let measured = command.stderr(Stdio::inherit()).output()?;
    match measured.status.success() {
        true => Ok(String::from_utf8(measured.stdout)?),
        false => Err(format!("the unit '{unit}' failed").into()),
    }
}

/// Measures a unit and prints its rows, if the arguments of this process ask for one.
pub(crate) fn is_unit(args: &[String]) -> Result<bool> {
    let [command, name, options @ ..] = args else {
        return Ok(false);
    };
    if command != UNIT {
        return Ok(false);
    }
    let mut units = PARTS.iter().flat_map(|part| part.units);
    let (_, unit) = units.find(|(unit, _)| unit == name).ok_or("no such unit")?;
    let extent = match options.is_empty() {
        true => Extent::Whole,
        false => Extent::Quick,
    };
    let redis = RedisServer::start()?;
    let mut out = Out::default();
    unit(&redis.url(), extent, &mut out);
    print!("{}", out.text());
    Ok(true)
}
