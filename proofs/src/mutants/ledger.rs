//! What is known of an area's mutants, as a file in `proofs/mutants/`.
//!
//! ```text
//! shard 1/2: 40 mutants, 30 caught, 5 unviable
//! crates/…/file.rs: replace > with >= in name = why no test can tell
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// One part of all mutants of an area: the `at`th of `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    /// From 1.
    pub at: u32,
    /// The number of parts.
    pub of: u32,
}

/// What the tests made of one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many there are.
    pub mutants: usize,
    /// Those that a test failed for, or did not end for.
    pub caught: usize,
    /// Those that do not compile.
    pub unviable: usize,
    /// Those that no test caught, and why, if that is known.
    pub survivors: Vec<(String, String)>,
}

/// All that is known of an area.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger(pub(super) BTreeMap<Shard, Outcome>);

impl Shard {
    /// All mutants at once.
    pub const WHOLE: Self = Self { at: 1, of: 1 };

    /// Reads `K/N`, with K from 1 to N.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(at, of)| {
            let (at, of) = (at.parse().ok()?, of.parse().ok()?);
            (1..=of).contains(&at).then_some(Self { at, of })
        });
        numbers.ok_or_else(|| format!("expected K/N with K from 1 to N, as in 1/4, not '{text}'"))
    }
}

fn path(area: &str) -> PathBuf {
    let proofs = Path::new(env!("CARGO_MANIFEST_DIR"));
    proofs.join("mutants").join(area).with_extension("txt")
}

impl Ledger {
    /// Reads the ledger of an area. It is empty if the area was never run.
    pub(super) fn read(area: &str) -> Result<Self, String> {
        let path = path(area);
        let named = |error: String| format!("{}: {error}", path.display());
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text).map_err(named),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(named(error.to_string())),
        }
    }

    pub(super) fn write(&self, area: &str) -> Result<(), String> {
        let path = path(area);
        let written = fs::write(&path, self.text());
        written.map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Reads the text of a ledger.
    ///
    /// # Errors
    /// The line that is none of it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut shards = BTreeMap::new();
        let mut current = None;
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(rest) = line.strip_prefix("shard ") {
                let (shard, outcome) = head(rest).ok_or_else(|| format!("no shard: '{line}'"))?;
                shards.insert(shard, outcome);
                current = Some(shard);
            } else {
                let outcome = current.and_then(|shard| shards.get_mut(&shard));
                let outcome: &mut Outcome = outcome.ok_or("a mutant before the first shard")?;
                let (name, why) = line
                    .split_once(" = ")
                    .unwrap_or((line.trim_end_matches(" ="), ""));
                outcome.survivors.push((name.to_owned(), why.to_owned()));
            }
        }
        Ok(Self(shards))
    }

    /// Returns the text that [`Ledger::parse`] reads.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (Shard { at, of }, it) in &self.0 {
            let Outcome {
                mutants,
                caught,
                unviable,
                survivors,
            } = it;
            let _ = writeln!(
                text,
                "shard {at}/{of}: {mutants} mutants, {caught} caught, {unviable} unviable"
            );
            for (name, why) in survivors {
                let _ = writeln!(text, "{}", format!("{name} = {why}").trim_end());
            }
        }
        text
    }

    /// Takes what a run found, with the reasons that are known, and forgets runs of other shards.
    pub fn note(&mut self, shard: Shard, mut outcome: Outcome) {
        let mut known: Vec<_> = self
            .0
            .values()
            .flat_map(|it| it.survivors.clone())
            .collect();
        for (name, why) in &mut outcome.survivors {
            // The mutants of a function may share a name: each takes a reason of its own.
            if let Some(at) = known.iter().position(|(known, _)| known == name) {
                *why = known.swap_remove(at).1;
            }
        }
        outcome.survivors.sort();
        self.0.retain(|other, _| other.of == shard.of);
        self.0.insert(shard, outcome);
    }

    /// Adds up all shards.
    #[must_use]
    pub fn sum(&self) -> Outcome {
        self.0.values().fold(Outcome::default(), |mut sum, it| {
            sum.mutants += it.mutants;
            sum.caught += it.caught;
            sum.unviable += it.unviable;
            sum.survivors.extend(it.survivors.iter().cloned());
            sum
        })
    }
}

/// Reads `1/2: 40 mutants, 30 caught, 5 unviable`.
fn head(text: &str) -> Option<(Shard, Outcome)> {
    let (shard, counts) = text.split_once(": ")?;
    let mut counts = counts
        .split(", ")
        .map(|count| count.split_once(' ')?.0.parse().ok());
    let outcome = Outcome {
        mutants: counts.next()??,
        caught: counts.next()??,
        unviable: counts.next()??,
        survivors: Vec::new(),
    };
    Some((Shard::parse(shard).ok()?, outcome))
}
