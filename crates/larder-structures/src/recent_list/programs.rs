use std::collections::BTreeMap;

use bytes::Bytes;
use larder_store::program::prelude::*;

/// The record of a recent list, for [`inspect`](larder_store::program::Programs#method.inspect).
///
/// On Redis it is a sorted set: the score is the number of an item, and the item follows the number. A string
/// has the last number if its item was removed.
#[derive(Debug, Default)]
pub struct RecentRecord {
    items: BTreeMap<i64, Bytes>,
    /// The number of the last item, which may have been removed.
    last: i64,
}

record! {
    RecentRecord, Kind::record("recent").partitioned(), parts ["", "last"];
    /// Shows people and tools the number of items. It shows none of them.
    pub InspectRecent = "recent-inspect",
    "local items = redis.call('ZCARD', KEYS[1])
     return items > 0 and {'items', items} or {}",
    |held, shown| match held.items.len() {
        0 => shown,
        items => shown.with("items", items),
    },
}

/// Reads a number of the list, or 0.
macro_rules! number_lua {
    () => {
        "-- What is past 2^53 was not written here.
         local function number(text)
           local n = tonumber(text or '')
           return n and n < 9007199254740992 and n or 0
         end
        "
    };
}

/// Adds an item, removes the oldest past the cap, and returns the number of the item.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    pub(super) item: Bytes,
    pub(super) ttl: Ttl,
    pub(super) max_items: u32,
}

impl Program for Push {
    type Record = RecentRecord;
    type Reply = i64;

    // A number is the time, or one more than the last number, so it increases after a failover too.
    const SCRIPT: &'static Script = &Script::new(
        "recent-push",
        Effect::Once,
        concat!(
            number_lua!(),
            "local last = number(redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2])
             last = math.max(last, number(redis.call('GET', KEYS[2])))
             local at = math.max(now(), last + 1)
             local item = string.format('%016.0f', at) .. ARGV[1]
             redis.call('ZADD', KEYS[1], num(at), item)
             redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[3]))
             ttl(KEYS[1], ARGV[2])
             return num(at)",
        ),
    );

    arguments!(item, ttl, max_items);

    fn step(&self, record: &mut Slot<'_, RecentRecord>, now: Timestamp) -> i64 {
        let held = record.update_or(self.ttl, RecentRecord::default);
        let number = now.as_micros().max(held.last + 1);
        held.last = number;
        held.items.insert(number, self.item.clone());
        while held.items.len() > self.max_items as usize {
            held.items.pop_first();
        }
        number
    }
}

/// Reads items beside a number: at most `many`, and `bytes` of them unless the first is longer.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(super) beside: Beside,
    pub(super) many: u32,
    pub(super) bytes: u32,
}

/// On which side of a number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Beside {
    /// Older items, newest first.
    Before(i64),
    /// Newer items, oldest first.
    After(i64),
}

impl Arg for Beside {
    fn write(&self, args: &mut Args) {
        match self {
            Self::Before(number) => ("before", *number).write(args),
            Self::After(number) => ("after", *number).write(args),
        }
    }
}

/// Items with their numbers, and whether there are more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Items {
    pub(super) has_more: bool,
    pub(super) items: Vec<(i64, Bytes)>,
}

impl FromWire for Items {
    fn from_wire(wire: Wire) -> Result<Self> {
        let (has_more, items) = wire.read::<(bool, Wire)>()?;
        let items = items.pairs::<Bytes, i64>()?.into_iter();
        // The number is in front of the item.
        let items = items.map(|(item, number)| (number, item.slice(item.len().min(DIGITS)..)));
        let items = items.collect();
        Ok(Self { has_more, items })
    }
}

/// The number of digits of the number in front of an item.
const DIGITS: usize = 16;

impl Program for Read {
    type Record = RecentRecord;
    type Reply = Items;

    const SCRIPT: &'static Script = &Script::new(
        "recent-read",
        Effect::Read,
        "-- One further is read than asked for, and not returned: it shows that there are more.
         local side, most, room = ARGV[2], 2 * ARGV[3] + 2, tonumber(ARGV[4])
         local command, far = 'ZREVRANGEBYSCORE', '-inf'
         if ARGV[1] == 'after' then command, far = 'ZRANGEBYSCORE', '+inf' end
         local items, has_more = {}, false
         repeat
           -- A few at a time, so that hardly more are copied than fit.
           local few = math.min((most - #items) / 2, 16)
           local found = redis.call(command, KEYS[1], '(' .. side, far, 'WITHSCORES', 'LIMIT', 0, few)
           for i = 1, #found, 2 do
             room = room - (#found[i] - 16)
             has_more = #items > 0 and room < 0
             if has_more then break end
             items[#items + 1], side = found[i], found[i + 1]
             items[#items + 1] = side
           end
         until has_more or #found < 2 * few or #items == most
         if #items == most then has_more, items[most - 1], items[most] = true, nil, nil end
         return {has_more and 1 or 0, items}",
    );

    arguments!(beside, many, bytes);

    fn step(&self, record: &mut Slot<'_, RecentRecord>, _: Timestamp) -> Items {
        let Some(held) = record.get() else {
            return Items::default();
        };
        match self.beside {
            Beside::Before(number) => self.page(held.items.range(..number).rev()),
            Beside::After(number) => self.page(held.items.range(number + 1..)),
        }
    }
}

impl Read {
    fn page<'a>(&self, found: impl Iterator<Item = (&'a i64, &'a Bytes)>) -> Items {
        let (mut items, mut bytes) = (Vec::new(), 0);
        for (number, item) in found {
            bytes += item.len();
            let is_full = !items.is_empty() && bytes > self.bytes as usize;
            if is_full || items.len() == self.many as usize {
                let has_more = true;
                return Items { has_more, items };
            }
            items.push((*number, item.clone()));
        }
        let has_more = false;
        Items { has_more, items }
    }
}

/// Keeps the last number, before the newest item is removed, for as long as the list lives: that of this item, or of
/// one that was removed before it.
macro_rules! keep_last_lua {
    () => {
        concat!(
            number_lua!(),
            "local newest = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
             local function keep_last()
               local last = math.max(number(newest), number(redis.call('GET', KEYS[2])))
               put(KEYS[2], num(last), math.max(left(KEYS[1]), 1))
             end
            "
        )
    };
}

/// Removes an item, and returns whether it was there. Its number is not used again.
#[derive(Clone, Debug)]
pub(crate) struct Remove {
    pub(super) number: i64,
}

impl Program for Remove {
    type Record = RecentRecord;
    type Reply = bool;

    const SCRIPT: &'static Script = &Script::new(
        "recent-remove",
        Effect::Once,
        concat!(
            keep_last_lua!(),
            "if newest and tonumber(newest) == tonumber(ARGV[1]) then keep_last() end
             return redis.call('ZREMRANGEBYSCORE', KEYS[1], ARGV[1], ARGV[1])",
        ),
    )
    .runs_when_full();

    arguments!(number);

    fn step(&self, record: &mut Slot<'_, RecentRecord>, _: Timestamp) -> bool {
        let held = record.get_mut();
        held.is_some_and(|held| held.items.remove(&self.number).is_some())
    }
}

/// Removes all items, and returns how many there were. Their numbers are not used again.
#[derive(Clone, Debug)]
pub(crate) struct Clear;

impl Program for Clear {
    type Record = RecentRecord;
    type Reply = u64;

    const SCRIPT: &'static Script = &Script::new(
        "recent-clear",
        Effect::Once,
        concat!(
            keep_last_lua!(),
            "local items = redis.call('ZCARD', KEYS[1])
             if newest then keep_last() end
             del(KEYS[1])
             return items",
        ),
    )
    .runs_when_full();

    arguments!();

    fn step(&self, record: &mut Slot<'_, RecentRecord>, _: Timestamp) -> u64 {
        let held = record.get_mut();
        held.map_or(0, |held| std::mem::take(&mut held.items).len() as u64)
    }
}

/// Counts the items.
#[derive(Clone, Debug)]
pub(crate) struct Len;

impl Program for Len {
    type Record = RecentRecord;
    type Reply = u64;

    const SCRIPT: &'static Script = &Script::new(
        "recent-len",
        Effect::Read,
        "return redis.call('ZCARD', KEYS[1])",
    )
    .as_command(&["ZCARD"]);

    arguments!();

    fn step(&self, record: &mut Slot<'_, RecentRecord>, _: Timestamp) -> u64 {
        record.get().map_or(0, |held| held.items.len() as u64)
    }
}
