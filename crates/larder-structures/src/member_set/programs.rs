use std::sync::Arc;

use bytes::Bytes;
use larder_store::count_poisoned;
use larder_store::program::prelude::*;

use crate::ordered::Ordered;

/// The record of a member set, for [`inspect`](larder_store::program::Programs#method.inspect).
///
/// On Redis it is a sorted set in which all scores are 0, so that it is in the order of the bytes.
#[derive(Debug, Default)]
pub struct SetRecord(Ordered<Arc<str>>);

record! {
    SetRecord, Kind::record("set").partitioned();
    /// Shows people and tools the number of members. It names none.
    pub InspectSet = "set-inspect",
    "local members = redis.call('ZCARD', KEYS[1])
     return members > 0 and {'members', members} or {}",
    |held, shown| shown.with("members", held.0.len()),
}

/// Adds members, and returns how many are new. None, and no change, if there is no room for them.
#[derive(Clone, Debug)]
pub(crate) struct Add {
    pub(super) ttl: Ttl,
    pub(super) max_members: u32,
    pub(super) members: Vec<Arc<str>>,
}

impl Program for Add {
    type Record = SetRecord;
    type Reply = Option<u64>;

    const SCRIPT: &'static Script = &Script::new(
        "set-add",
        Effect::Once,
        "local new, seen = {}, {}
         for i = 3, #ARGV do
           local member = ARGV[i]
           if not seen[member] and not redis.call('ZSCORE', KEYS[1], member) then
             new[#new + 1], seen[member] = member, true
           end
         end
         if #new > 0 and redis.call('ZCARD', KEYS[1]) + #new > tonumber(ARGV[2]) then return false end
         for _, member in ipairs(new) do redis.call('ZADD', KEYS[1], 0, member) end
         ttl(KEYS[1], ARGV[1])
         return #new",
    );

    arguments!(ttl, max_members, members);

    fn step(&self, record: &mut Slot<'_, SetRecord>, _: Timestamp) -> Option<u64> {
        let mut new: Vec<_> = self.members.clone();
        new.sort_unstable();
        new.dedup();
        new.retain(|member| !record.get().is_some_and(|held| held.contains(member)));
        let held = record.get().map_or(0, |held| held.0.len());
        if !new.is_empty() && held + new.len() > self.max_members as usize {
            return None;
        }
        let many = new.len() as u64;
        if held > 0 || many > 0 {
            let set = record.update_or(self.ttl, SetRecord::default);
            for member in new {
                set.0.insert(member);
            }
        }
        Some(many)
    }
}

impl SetRecord {
    fn contains(&self, member: &Arc<str>) -> bool {
        let at = self.0.partition_point(|held| held < member);
        self.0.get(at) == Some(member)
    }
}

/// Removes members, and returns how many were in the set.
#[derive(Clone, Debug)]
pub(crate) struct Remove {
    pub(super) members: Vec<Arc<str>>,
}

impl Program for Remove {
    type Record = SetRecord;
    type Reply = u64;

    const SCRIPT: &'static Script = &Script::new(
        "set-remove",
        Effect::Once,
        "return redis.call('ZREM', KEYS[1], unpack(ARGV))",
    )
    .runs_when_full();

    arguments!(members);

    fn step(&self, record: &mut Slot<'_, SetRecord>, _: Timestamp) -> u64 {
        let Some(held) = record.get_mut() else {
            return 0;
        };
        let removed = self.members.iter().filter(|member| held.0.remove(member));
        let removed = removed.count() as u64;
        if held.0.len() == 0 {
            record.remove();
        }
        removed
    }
}

/// Returns for each member whether it is in the set.
#[derive(Clone, Debug)]
pub(crate) struct Contains {
    pub(super) members: Vec<Arc<str>>,
}

impl Program for Contains {
    type Record = SetRecord;
    type Reply = Vec<bool>;

    const SCRIPT: &'static Script = &Script::new(
        "set-contains",
        Effect::Read,
        "local found = {}
         for i, score in ipairs(redis.call('ZMSCORE', KEYS[1], unpack(ARGV))) do
           found[i] = score and 1 or 0
         end
         return found",
    );

    arguments!(members);

    fn step(&self, record: &mut Slot<'_, SetRecord>, _: Timestamp) -> Vec<bool> {
        let held = record.get();
        let is_in = |member: &Arc<str>| held.is_some_and(|held| held.contains(member));
        self.members.iter().map(is_in).collect()
    }
}

/// Reads members in order.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    /// After this one; from the first if it is empty.
    pub(super) after: Arc<str>,
    pub(super) many: u32,
}

impl Program for Read {
    type Record = SetRecord;
    type Reply = Vec<String>;

    const SCRIPT: &'static Script = &Script::new(
        "set-read",
        Effect::Read,
        "local from = ARGV[1] == '' and '-' or '(' .. ARGV[1]
         return redis.call('ZRANGEBYLEX', KEYS[1], from, '+', 'LIMIT', 0, ARGV[2])",
    );

    arguments!(after, many);

    fn step(&self, record: &mut Slot<'_, SetRecord>, _: Timestamp) -> Vec<String> {
        let Some(held) = record.get() else {
            return Vec::new();
        };
        let from = held.0.partition_point(|held| *held <= self.after);
        let members = held.0.iter_from(from).take(self.many as usize);
        members.map(|member| member.to_string()).collect()
    }
}

/// Picks members by random numbers, and removes them for a pop.
#[derive(Clone, Debug)]
pub(crate) struct Pick {
    pub(super) pops: bool,
    pub(super) draws: Vec<u32>,
}

impl Program for Pick {
    type Record = SetRecord;
    type Reply = Vec<String>;

    const SCRIPT: &'static Script = &Script::new(
        "set-pick",
        Effect::Once,
        "local picked = {}
         for i = 2, #ARGV do
           local members = redis.call('ZCARD', KEYS[1])
           if members == 0 then break end
           local at = tonumber(ARGV[i]) % members
           local member = redis.call('ZRANGE', KEYS[1], at, at)[1]
           if ARGV[1] == '1' then redis.call('ZREM', KEYS[1], member) end
           picked[#picked + 1] = member
         end
         return picked",
    )
    .runs_when_full();

    fn args(&self, args: &mut Args) {
        self.pops.write(args);
        self.draws.write(args);
    }

    /// Leaves out what no member set writes: the other members may have been removed, and are named only here.
    fn reply(&self, wire: Wire) -> Result<Vec<String>> {
        let members = wire.read::<Vec<Bytes>>()?.into_iter();
        let texts = members.filter_map(|member| {
            let text = std::str::from_utf8(&member).ok();
            if text.is_none() {
                count_poisoned(SetRecord::KIND);
            }
            text.map(str::to_owned)
        });
        Ok(texts.collect())
    }

    fn step(&self, record: &mut Slot<'_, SetRecord>, _: Timestamp) -> Vec<String> {
        let mut picked = Vec::new();
        let Some(held) = record.get_mut() else {
            return picked;
        };
        for draw in &self.draws {
            let Some(at) = (*draw as usize).checked_rem(held.0.len()) else {
                break;
            };
            let Some(member) = held.0.get(at).cloned() else {
                break;
            };
            if self.pops {
                held.0.remove(&member);
            }
            picked.push(member.to_string());
        }
        if held.0.len() == 0 {
            record.remove();
        }
        picked
    }
}

/// Counts the members.
#[derive(Clone, Debug)]
pub(crate) struct Len;

impl Program for Len {
    type Record = SetRecord;
    type Reply = u64;

    const SCRIPT: &'static Script = &Script::new(
        "set-len",
        Effect::Read,
        "return redis.call('ZCARD', KEYS[1])",
    )
    .as_command(&["ZCARD"]);

    arguments!();

    fn step(&self, record: &mut Slot<'_, SetRecord>, _: Timestamp) -> u64 {
        record.get().map_or(0, |held| held.0.len() as u64)
    }
}
