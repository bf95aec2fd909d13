//! Finds the records of a queue: the plain one, and those of its partitions.

use std::collections::{BTreeSet, HashSet};

use larder::Key;
use larder::queue::{Queue, QueueRecord};

use super::reading::{self, Reading, key_of, label};
use crate::args::QueueName;
use crate::error::{Error, Result};
use crate::key;
use crate::output::{Output, escape};
use crate::scan::{id_of, inspect, records};
use crate::target::Target;

/// The maximum number of records that a search for partitions looks at.
const MOST: usize = 1_000;

/// A plain queue, or a partition of a queue.
pub(super) struct Part {
    /// The id under which `queue ls` lists it.
    pub(super) label: String,
    pub(super) queue: Queue,
}

/// The parts of a queue on which a command acts.
pub(super) struct Parts {
    pub(super) parts: Vec<Part>,
    /// The labels of those whose keys hold something else.
    pub(super) unreadable: Vec<String>,
    /// Whether any of them has a record.
    pub(super) is_known: bool,
    /// Whether only one partition is meant.
    pub(super) is_single: bool,
}

impl Parts {
    /// Returns the labels of those on which the command acts.
    pub(super) fn labels(&self) -> Vec<&str> {
        self.parts.iter().map(|part| part.label.as_str()).collect()
    }
}

/// Returns the parts of a queue that have records.
///
/// # Errors
/// If there are none.
pub(super) async fn existing(
    target: &Target,
    named: &QueueName,
    output: &mut Output<'_, '_>,
) -> Result<Parts> {
    let mut holds_another = false;
    for reading in readings(target, named).await? {
        let parts = find(target, &reading, named, false, output).await?;
        if !parts.parts.is_empty() {
            return Ok(parts);
        }
        holds_another |= !parts.unreadable.is_empty();
    }
    let name = escape(&named.name);
    Err(Error::usage(match holds_another {
        false => format!("there is no queue '{name}': `larder queue ls` lists them"),
        true => format!("the keys of '{name}' do not hold a queue"),
    }))
}

/// Returns the given number of partitions, with and without records, or the parts that have records.
pub(super) async fn given(
    target: &Target,
    named: &QueueName,
    output: &mut Output<'_, '_>,
) -> Result<Parts> {
    if named.partitions.is_none() {
        return existing(target, named, output).await;
    }
    let mut last = None;
    for reading in readings(target, named).await? {
        let parts = find(target, &reading, named, true, output).await?;
        if parts.is_known {
            return Ok(parts);
        }
        last = Some(parts);
    }
    // None has a record: the last one is the name as it was typed.
    last.ok_or_else(partition_of_partition)
}

/// Returns what a text may mean. With a number of partitions, it means no single one.
///
/// # Errors
/// If it means a single one all the same: it can mean nothing else, or that partition has a record.
async fn readings(target: &Target, named: &QueueName) -> Result<Vec<Reading>> {
    let readings = reading::readings(target, named)?;
    if named.partitions.is_none() {
        return Ok(readings);
    }
    let (single, whole): (Vec<_>, Vec<_>) = readings
        .into_iter()
        .partition(|reading| reading.number.is_some());
    let keys: Vec<_> = single
        .iter()
        .map(|reading| key_of(&reading.name, reading.number))
        .collect();
    let found = inspect::<QueueRecord>(target, &keys).await?;
    match whole.is_empty() || !found.readable.is_empty() {
        true => Err(partition_of_partition()),
        false => Ok(whole),
    }
}

fn partition_of_partition() -> Error {
    Error::usage("a partition has no partitions: leave --partitions out")
}

async fn find(
    target: &Target,
    reading: &Reading,
    named: &QueueName,
    with_absent: bool,
    output: &mut Output<'_, '_>,
) -> Result<Parts> {
    let name = &reading.name;
    let numbers: Vec<Option<u16>> = match (named.partitions, reading.number) {
        (Some(count), _) => (0..count.get()).map(Some).collect(),
        (None, Some(number)) => vec![Some(number)],
        (None, None) => {
            let found = search(target, name, output).await?;
            std::iter::once(None)
                .chain(found.into_iter().map(Some))
                .collect()
        }
    };
    let keys: Vec<_> = numbers.iter().map(|number| key_of(name, *number)).collect();
    let found = inspect::<QueueRecord>(target, &keys).await?;
    let unreadable: HashSet<_> = found.unreadable.iter().map(Key::as_str).collect();
    let readable: HashSet<_> = found.readable.iter().map(|(key, _)| key.as_str()).collect();
    let mut parts = Parts {
        parts: Vec::new(),
        unreadable: Vec::new(),
        is_known: !readable.is_empty(),
        is_single: named.partitions.is_none() && reading.number.is_some(),
    };
    for (number, key) in numbers.iter().zip(&keys) {
        let label = label(key, name, *number);
        if unreadable.contains(key.as_str()) {
            parts.unreadable.push(label);
        } else if with_absent || readable.contains(key.as_str()) {
            let queue = Queue::unmetered(target.store.clone(), name, *number)?;
            parts.parts.push(Part { label, queue });
        }
    }
    Ok(parts)
}

/// Returns the numbers of partitions whose keys hold anything.
async fn search(target: &Target, name: &str, output: &mut Output<'_, '_>) -> Result<BTreeSet<u16>> {
    // The partitions of a hashed name cannot be found.
    let first = key_of(name, Some(0));
    let Ok(start) = key::start_of(&first) else {
        return Ok(BTreeSet::new());
    };
    let found = records::<QueueRecord>(target, output, start, MOST).await?;
    if found.has_more {
        return Err(Error::usage(format!(
            "more than {MOST} keys are named like partitions of '{}': give --partitions N, the number that the \
             app uses",
            escape(name)
        )));
    }
    let number = |key: &Key| {
        let number = id_of(key).strip_prefix(start)?.parse::<u16>().ok()?;
        // `+1` and `01` are not numbers of a partition, and neither is a number that no count
        // includes.
        let is_partition = *key == key_of(name, Some(number)) && number < u16::MAX;
        is_partition.then_some(number)
    };
    Ok(found.keys.iter().filter_map(number).collect())
}
