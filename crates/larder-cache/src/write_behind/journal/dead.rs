use larder_store::program::{Args, Effect, Program, Script, Slot, Wire};
use larder_store::{Result, Timestamp};

use super::take::{Taken, taken};
use super::{Journal, kept};

/// Returns the keys of the dead letters, in their order.
#[derive(Clone, Debug)]
pub(crate) struct DeadKeys;

impl Program for DeadKeys {
    type Record = Journal;
    type Reply = Vec<Vec<u8>>;

    const SCRIPT: &'static Script = &script!("write-behind-dead-keys", Read, "dead_keys.lua");

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, Journal>, _: Timestamp) -> Vec<Vec<u8>> {
        let dead = record.get().into_iter().flat_map(|it| it.dead.keys());
        dead.cloned().collect()
    }

    fn reply(&self, wire: Wire) -> Result<Vec<Vec<u8>>> {
        let keys = wire.list()?.into_iter();
        let mut keys: Vec<_> = keys
            .map(|key| Ok(key.bytes()?.to_vec()))
            .collect::<Result<_>>()?;
        keys.sort_unstable();
        Ok(keys)
    }
}

/// Returns the dead letters of some keys. Those that are gone, or cannot be read, are left out.
#[derive(Clone, Debug)]
pub(crate) struct DeadAt(pub(crate) Vec<Vec<u8>>);

impl Program for DeadAt {
    type Record = Journal;
    type Reply = Vec<Taken>;

    const SCRIPT: &'static Script = &script!("write-behind-dead", Read, "dead.lua");

    fn args(&self, args: &mut Args) {
        for key in &self.0 {
            args.bytes(key);
        }
    }

    fn step(&self, record: &mut Slot<'_, Journal>, _: Timestamp) -> Vec<Taken> {
        let journal = record.get();
        let dead = self.0.iter().filter_map(|key| {
            let it = journal?.dead.get(key)?;
            Some(Taken {
                key: key.clone(),
                version: it.version,
                attempts: it.attempts,
                value: it.value.clone(),
            })
        });
        dead.collect()
    }

    fn reply(&self, wire: Wire) -> Result<Vec<Taken>> {
        wire.list()?.into_iter().map(taken).collect()
    }
}

/// Tries a dead letter again, or discards it. Returns whether there was one.
#[derive(Clone, Debug)]
pub(crate) struct Bury {
    pub(crate) key: Vec<u8>,
    pub(crate) tries_again: bool,
    pub(crate) keep: i64,
    /// Only the letter of this version.
    pub(crate) version: Option<i64>,
}

impl Program for Bury {
    type Record = Journal;
    type Reply = bool;

    const SCRIPT: &'static Script =
        &script!("write-behind-bury", Once, "bury.lua").runs_when_full();

    fn args(&self, args: &mut Args) {
        args.bytes(&self.key);
        args.int(self.tries_again.into());
        args.int(self.keep);
        args.int(self.version.unwrap_or(0));
    }

    fn step(&self, record: &mut Slot<'_, Journal>, now: Timestamp) -> bool {
        let is_there = |it: &Journal| {
            let letter = it.dead.get(&self.key);
            letter.is_some_and(|it| self.version.is_none_or(|version| version == it.version))
        };
        if !record.get().is_some_and(is_there) {
            return false;
        }
        let Some(journal) = record.update(kept(self.keep)) else {
            return false;
        };
        let Some((key, mut it)) = journal.dead.remove_entry(&self.key) else {
            return false;
        };
        if self.tries_again {
            let now = now.as_micros();
            (it.attempts, it.due, it.since, it.left_since) = (0, Some(now), now, None);
            journal.insert(key, it);
        }
        true
    }

    fn reply(&self, wire: Wire) -> Result<bool> {
        Ok(wire.int()? == 1)
    }
}
