//! One run of cargo-mutants.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use super::areas::Area;
use super::ledger::{Outcome, Shard};

/// The version that the names of the mutants are those of.
const VERSION: &str = "27.1.0";

/// The names of the mutants that no test caught, with their places.
const LEFT: &str = "left.txt";

/// Runs the mutants of a shard, or those that the last run here did not catch if its `known` outcome is given.
///
/// # Errors
/// What cannot be run, and how to mend it.
pub(super) fn run(area: &Area, shard: Shard, known: Option<Outcome>) -> Result<Outcome, String> {
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
        let output = output.join(pass.to_string());
        let which = match &missed {
            None => Which::Shard(shard),
            Some(names) if names.is_empty() => break,
            Some(names) => Which::Named(names),
        };
        mutants.pass(&output, which, tests)?;
        let named = |kind: &str| read(&output.join("mutants.out").join(kind));
        let mut left = named("missed.txt")?;
        let mut caught = named("caught.txt")?;
        caught.extend(named("timeout.txt")?);
        match &missed {
            // Some kinds of mutants are run whatever names are asked for.
            Some(names) => {
                left.retain(|name| names.contains(name));
                caught.retain(|name| names.contains(name));
                if left.len() + caught.len() != names.len() {
                    let output = output.display();
                    return Err(format!(
                        "not all mutants were found or built again: see {output}"
                    ));
                }
            }
            None => {
                outcome.unviable = named("unviable.txt")?.len();
                outcome.mutants = left.len() + caught.len() + outcome.unviable;
            }
        }
        outcome.caught += caught.len();
        missed = Some(left);
    }
    let missed = missed.unwrap_or_default();
    let left = output.join(LEFT);
    let written = fs::write(&left, missed.join("\n"));
    written.map_err(|error| format!("{}: {error}", left.display()))?;
    let survivors = missed
        .iter()
        .map(|name| (without_place(name), String::new()));
    outcome.survivors = survivors.collect();
    Ok(outcome)
}

struct Mutants<'a> {
    program: PathBuf,
    tree: PathBuf,
    area: &'a Area,
}

enum Which<'a> {
    Shard(Shard),
    /// Those with these names, which have their places.
    Named(&'a [String]),
}

impl Mutants<'_> {
    fn pass(&self, output: &Path, which: Which<'_>, tests: &[&str]) -> Result<(), String> {
        let _ = fs::remove_dir_all(output);
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
        for file in self.area.files {
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
        command
            .arg("--")
            .args(tests)
            .current_dir(&self.tree)
            .stdin(Stdio::null());
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
        match status.code() {
            Some(0 | 2 | 3) => Ok(()),
            _ => Err(format!("cargo-mutants: {status}; see {}", output.display())),
        }
    }
}

/// Escapes what has a meaning in a regular expression.
fn escaped(name: &str) -> String {
    let escape = |character: char| match character {
        'a'..='z'
        | 'A'..='Z'
        | '0'..='9'
        | ' '
        | '_'
        | '/'
        | ':'
        | '<'
        | '>'
        | '='
        | '!'
        | '&'
        | '"'
        | '\''
        | ',' => {
            vec![character]
        }
        _ => vec!['\\', character],
    };
    name.chars().flat_map(escape).collect()
}

/// Reads the names of mutants.
fn read(path: &Path) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Removes line and column, which change with every edit, from `file.rs:1:2: replace …`.
fn without_place(name: &str) -> String {
    match name.splitn(4, ':').collect::<Vec<_>>()[..] {
        [file, _, _, what] => format!("{file}:{what}"),
        _ => name.to_owned(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_is_named_without_its_place_and_sought_by_its_whole_name() {
        let name = "a/b.rs:3:14: replace <impl Trait for T<'_>>::f -> Option<&str> with Some(\"\")";
        let short = "a/b.rs: replace <impl Trait for T<'_>>::f -> Option<&str> with Some(\"\")";
        assert_eq!(without_place(name), short);
        let escaped = escaped("f(x) + [1] || *y");
        assert_eq!(escaped, r"f\(x\) \+ \[1\] \|\| \*y");
    }
}
