use std::cmp;

use larder_store::{Condition, Entry, Put, Timestamp, Ttl, Version};

use super::puts::Before;
use super::{BrokenStore, Fault};
use crate::contract::model::{Held, deadline};

const ONE_MIB: usize = 1024 * 1024;
const ONE_MS: i64 = 1000;
const SECOND: Ttl = Ttl::from_secs(1);
const DAYS_24: Ttl = Ttl::from_millis(1 << 31);

impl BrokenStore {
    /// Applies the faults that change the store after a put.
    pub(super) fn leave_traces(&self, put: &Put, met: bool, before: &Before) {
        let Some(fault) = self.fault else { return };
        match met {
            true => self.after_met(fault, put, before),
            false => self.after_unmet(fault, put),
        }
    }

    fn after_met(&self, fault: Fault, put: &Put, before: &Before) {
        let key = put.key();
        if fault == Fault::LosesEmptyValues && put.value().is_empty() {
            self.model.with_slot(key, |slot, _| *slot = None);
        }
        self.edit(key, |held, now| {
            held.deadline = wrong_end(fault, put, before.end, held, now);
            if let Some(entry) = held.entry_mut() {
                self.change_value(fault, entry, before);
                self.change_version(fault, entry, put, before);
            }
        });
        let mut memory = self.memory.lock();
        if let Some(end) = before.end {
            memory.old_ends.insert(key.as_str().to_owned(), end);
        }
        memory
            .written
            .insert(put.version(), key.as_str().to_owned());
    }

    fn change_value(&self, fault: Fault, entry: &mut Entry, before: &Before) {
        let value = &mut entry.value;
        match (fault, &before.held) {
            (Fault::StopsAtNul, _) => {
                let end = value.iter().position(|byte| *byte == 0);
                value.truncate(end.unwrap_or(value.len()));
            }
            (Fault::CutsAtOneMib, _) => value.truncate(ONE_MIB),
            (Fault::KeepsTheTail, Some(old)) if old.value.len() > value.len() => {
                let tail = &old.value[value.len()..];
                *value = [value, tail].concat().into();
            }
            _ => {}
        }
    }

    fn change_version(&self, fault: Fault, entry: &mut Entry, put: &Put, before: &Before) {
        let memory = self.memory.lock();
        let kept = match fault {
            Fault::DrawsItsOwnVersion => Some(Version::random()),
            Fault::OverwriteKeepsVersion => before.held.as_ref().map(|held| held.version),
            Fault::EndKeepsVersion => before.ended.as_ref().map(|ended| ended.version),
            Fault::DeleteKeepsVersion => memory.deleted.get(put.key().as_str()).copied(),
            Fault::ResentPutIsNew => {
                let sent = memory.written.contains_key(&put.version());
                sent.then(Version::random)
            }
            _ => None,
        };
        entry.version = kept.unwrap_or(entry.version);
    }

    fn after_unmet(&self, fault: Fault, put: &Put) {
        self.edit(put.key(), |held, now| match fault {
            Fault::UnmetPutSetsTtl => held.deadline = deadline(now, put.ttl()),
            Fault::UnmetPutShortensTtl => {
                held.deadline = cmp::min(held.deadline, deadline(now, SECOND));
            }
            Fault::UnmetPutWrites => {
                if let Some(entry) = held.entry_mut() {
                    entry.value = put.value().clone();
                }
            }
            _ => {}
        });
    }
}

fn wrong_end(
    fault: Fault,
    put: &Put,
    before: Option<Timestamp>,
    held: &Held,
    now: Timestamp,
) -> Timestamp {
    let right = held.deadline;
    match fault {
        Fault::EndsEarly => cmp::max(right.plus_micros(-ONE_MS), now),
        Fault::EndsLate => right.plus_micros(ONE_MS),
        Fault::PutKeepsTtl => before.unwrap_or(right),
        Fault::IfAbsentNeverEnds if put.condition() == Condition::IfAbsent => {
            deadline(now, Ttl::MAX)
        }
        Fault::ConditionsKeepTtl if put.condition() != Condition::Always => before.unwrap_or(right),
        Fault::LongTtlOverflows if put.ttl() > DAYS_24 => now,
        _ => right,
    }
}
