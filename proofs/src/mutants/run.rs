//! One run of cargo-mutants.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use super::areas::{Area, MODULE};
use super::ledger::{Outcome, Shard};
use super::names::{escaped, module, without_place};

/// The version whose names of mutants are in the ledgers.
const VERSION: &str = "27.1.0";

/// The names of the mutants that no test caught, with their places.
const LEFT: &str = "left.txt";

/// Runs the mutants of a shard, or those that the last run here did not catch if its `known` outcome is given.
///
/// Notes the outcome after each pass, because a later one fails if a healthy test does.
///
/// # Errors
/// What cannot be run, and how to mend it.
pub(super) fn run(
    area: &Area,
    shard: Shard,
    known: Option<Outcome>,
    mut note: impl FnMut(Outcome) -> Result<(), String>,
) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let scratch = root.join("target/mutants");
    let tree = scratch.join("tree");
    copy(&root, &tree).map_err(|error| format!("no copy in {}: {error}", tree.display()))?;
    let mutants = Mutants {
        program: install(&scratch)?,
        tree,
        area,
    };
    let output = scratch.join(format!("{}-{}-of-{}", area.name, shard.at, shard.of));
    let mut missed = known
        .as_ref()
        .map(|_| read(&output.join(LEFT)))
        .transpose()?;
    let mut outcome = known.unwrap_or_default();
    if missed
        .as_ref()
        .is_some_and(|names| names.len() != outcome.survivors.len())
    {
        return Err("the ledger is not of the last run here: run the area without --again".into());
    }
    for (pass, tests) in area.tests.iter().enumerate() {
        let which = match &missed {
            None => Which::Shard(shard),
            Some(names) if names.is_empty() => break,
            Some(names) => Which::Named(names),
        };
        let found = mutants.pass(&output.join(pass.to_string()), which, tests)?;
        match &missed {
            Some(names) if found.missed.len() + found.caught.len() != names.len() => {
                let output = output.display();
                return Err(format!(
                    "a mutant was not found or not built again: see {output}"
                ));
            }
            Some(_) => {}
            None => {
                outcome.unviable = found.unviable.len();
                outcome.mutants = found.missed.len() + found.caught.len() + outcome.unviable;
            }
        }
        outcome.caught += found.caught.len();
        let left = output.join(LEFT);
        let written = fs::write(&left, found.missed.join("\n"));
        written.map_err(|error| format!("{}: {error}", left.display()))?;
        let survivors = found.missed.iter();
        let survivors = survivors.map(|name| (without_place(name), String::new()));
        outcome.survivors = survivors.collect();
        note(outcome.clone())?;
        missed = Some(found.missed);
    }
    Ok(())
}

struct Mutants<'a> {
    program: PathBuf,
    tree: PathBuf,
    area: &'a Area,
}

#[derive(Clone, Copy)]
enum Which<'a> {
    Shard(Shard),
    /// Those with these names, which have their places.
    Named(&'a [String]),
}

/// The names of mutants, by what the tests made of them.
#[derive(Default)]
struct Found {
    missed: Vec<String>,
    caught: Vec<String>,
    unviable: Vec<String>,
}

impl Mutants<'_> {
    fn pass(&self, output: &Path, which: Which<'_>, tests: &[&str]) -> Result<Found, String> {
        let _ = fs::remove_dir_all(output);
        let mut found = Found::default();
        if !tests.contains(&MODULE) {
            self.run(
                &output.join("all"),
                self.area.files,
                which,
                tests,
                &mut found,
            )?;
            return Ok(found);
        }
        for file in self.area.files {
            let module = module(file);
            let own = format!("{module}::");
            let tests = tests
                .iter()
                .map(|arg| if *arg == MODULE { &own } else { *arg });
            let tests: Vec<_> = tests.collect();
            let output = output.join(module);
            match which {
                Which::Shard(_) => self.run(&output, &[file], which, &tests, &mut found)?,
                Which::Named(names) => {
                    let is_in = |name: &&String| super::names::module(name) == module;
                    let names: Vec<_> = names.iter().filter(is_in).cloned().collect();
                    if !names.is_empty() {
                        self.run(&output, &[file], Which::Named(&names), &tests, &mut found)?;
                    }
                }
            }
        }
        Ok(found)
    }

    fn run(
        &self,
        output: &Path,
        files: &[&str],
        which: Which<'_>,
        tests: &[&str],
        found: &mut Found,
    ) -> Result<(), String> {
        fs::create_dir_all(output).map_err(|error| format!("{}: {error}", output.display()))?;
        let mut command = Command::new(&self.program);
        command.args(["mutants", "--in-place", "--build-timeout=300"]);
        command.args(["--no-times", "--colors=never", "--all-features"]);
        command
            .args([
                "--cargo-arg=--locked",
                "--package",
                self.area.package,
                "--output",
            ])
            .arg(output);
        for file in files {
            command.args(["--file", file]);
        }
        match which {
            // It counts from 0.
            Which::Shard(Shard { at, of }) => {
                command
                    .args(["--sharding=round-robin", "--shard"])
                    .arg(format!("{}/{of}", at - 1));
            }
            Which::Named(names) => {
                for name in names {
                    command.arg("--re").arg(format!("^{}$", escaped(name)));
                }
            }
        }
        // Arguments behind `--` do not reach the build, which would make all test binaries.
        let filters = tests.iter().position(|arg| *arg == "--");
        let (targets, filters) = tests.split_at(filters.unwrap_or(tests.len()));
        for target in targets {
            command.arg(format!("--cargo-arg={target}"));
        }
        command.arg("--").args(filters);
        command.current_dir(&self.tree).stdin(Stdio::null());
        // What is changed and built again is small, and nobody reads a backtrace.
        command
            .env("CARGO_INCREMENTAL", "1")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("PROPTEST_MAX_SHRINK_ITERS", "0")
            // What an earlier mutant failed for is not tried first on the next one.
            .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1");
        command.env_remove("CARGO_TARGET_DIR");
        let status = command.status();
        let status = status.map_err(|error| format!("cannot run cargo-mutants: {error}"))?;
        // 2: some were missed; 3: some did not end.
        if !matches!(status.code(), Some(0 | 2 | 3)) {
            return Err(format!("cargo-mutants: {status}; see {}", output.display()));
        }
        let named = |kind: &str| -> Result<Vec<String>, String> {
            // A small file may have no mutant in a shard.
            let path = output.join("mutants.out").join(kind);
            let mut names = if path.exists() {
                read(&path)?
            } else {
                Vec::new()
            };
            if let Which::Named(asked) = which {
                // Some kinds of mutants are run whatever names are asked for.
                names.retain(|name| asked.contains(name));
            }
            Ok(names)
        };
        found.missed.extend(named("missed.txt")?);
        found.caught.extend(named("caught.txt")?);
        found.caught.extend(named("timeout.txt")?);
        found.unviable.extend(named("unviable.txt")?);
        Ok(())
    }
}

/// Reads the names of mutants.
fn read(path: &Path) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Copies the tracked files that have changed.
fn copy(root: &Path, tree: &Path) -> io::Result<()> {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .output()?;
    if !listed.status.success() {
        return Err(io::Error::other("git cannot list the tracked files"));
    }
    let names = String::from_utf8(listed.stdout).map_err(io::Error::other)?;
    for name in names.split_terminator('\0') {
        let (from, to) = (root.join(name), tree.join(name));
        let Ok(bytes) = fs::read(&from) else {
            // It is tracked, and removed.
            let _ = fs::remove_file(&to);
            continue;
        };
        // What is the same keeps its time, so that it is not built again.
        if fs::read(&to).is_ok_and(|held| held == bytes) {
            continue;
        }
        fs::create_dir_all(to.parent().unwrap_or(tree))?;
        fs::write(&to, bytes)?;
        fs::set_permissions(&to, fs::metadata(&from)?.permissions())?;
    }
    Ok(())
}

/// Installs cargo-mutants below `scratch`, unless it is there.
fn install(scratch: &Path) -> Result<PathBuf, String> {
    let program = scratch.join("bin/cargo-mutants");
    if !program.exists() {
        let mut cargo = Command::new("cargo");
        cargo.args([
            "install",
            "cargo-mutants",
            "--locked",
            "--version",
            VERSION,
            "--root",
        ]);
        let status = cargo.arg(scratch).status();
        if !status.is_ok_and(|status| status.success()) {
            return Err(format!("cargo cannot install cargo-mutants {VERSION}"));
        }
    }
    Ok(program)
}
