use larder_store::program::{Args, Effect, Program, Script, Slot, Wire};
use larder_store::{Result, Timestamp};

use super::carry_out::{Taken, taken};
use super::{Journal, kept};

/// Returns the dead letters, by key.
#[derive(Clone, Debug)]
pub(crate) struct Dead;

impl Program for Dead {
    type Record = Journal;
    type Reply = Vec<Taken>;

    const SCRIPT: &'static Script = script!("write-behind-dead", Read, "dead.lua");

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, Journal>, _: Timestamp) -> Vec<Taken> {
        let dead = record.get().into_iter().flat_map(|it| &it.dead);
        dead.map(|(key, it)| Taken {
            key: key.clone(),
            version: it.version,
            attempts: it.attempts,
            value: it.value.clone(),
        })
        .collect()
    }

    fn reply(&self, wire: Wire) -> Result<Vec<Taken>> {
        let mut dead: Vec<_> = wire.list()?.into_iter().map(taken).collect::<Result<_>>()?;
        dead.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok(dead)
    }
}

/// Tries a dead letter again, or discards it. Returns whether there was one.
#[derive(Clone, Debug)]
pub(crate) struct Bury {
    pub(crate) key: Vec<u8>,
    pub(crate) tries_again: bool,
    pub(crate) keep: i64,
}

impl Program for Bury {
    type Record = Journal;
    type Reply = bool;

    const SCRIPT: &'static Script = script!("write-behind-bury", Once, "bury.lua");

    fn args(&self, args: &mut Args) {
        args.bytes(&self.key);
        args.int(self.tries_again.into());
        args.int(self.keep);
    }

    fn step(&self, record: &mut Slot<'_, Journal>, now: Timestamp) -> bool {
        if !record
            .get()
            .is_some_and(|it| it.dead.contains_key(&self.key))
        {
            return false;
        }
        let Some(journal) = record.update(kept(self.keep)) else {
            return false;
        };
        let Some((key, mut it)) = journal.dead.remove_entry(&self.key) else {
            return false;
        };
        if self.tries_again {
            (it.attempts, it.due, it.since) = (0, now.as_micros(), now.as_micros());
            journal.insert(key, it);
        }
        true
    }

    fn reply(&self, wire: Wire) -> Result<bool> {
        Ok(wire.int()? == 1)
    }
}
