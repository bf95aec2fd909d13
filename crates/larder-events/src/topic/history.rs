use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larder_layer::StoreTimeout;
use larder_store::program::prelude::*;
use larder_store::{Error, ErrorKind, KeyId, bus};

use super::Position;

/// The store of the last messages of each id, and how long they are kept.
#[derive(Clone)]
pub(super) struct History {
    programs: Arc<dyn Programs>,
    topic: bus::Topic,
    messages: u32,
    ttl: Ttl,
    timeout: StoreTimeout,
}

/// The longest that a subscriber waits for a read. Most stores enforce less themselves.
const STORE_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum number of messages that a history keeps.
const MAX_MESSAGES: u32 = 10_000;

/// The number of messages that one read returns.
const PAGE: u32 = 64;

/// The bytes of the messages that one read returns: a larger answer would hold up other calls.
const PAGE_BYTES: u32 = 1024 * 1024;

impl History {
    pub(super) fn new(
        programs: Option<Arc<dyn Programs>>,
        topic: bus::Topic,
        messages: u32,
        ttl: Ttl,
    ) -> Result<Self> {
        let programs = programs.ok_or_else(|| {
            let text =
                "a topic history needs a store that runs programs: use memory:// or redis://";
            Error::new("build", ErrorKind::Invalid, text)
        })?;
        Ok(Self {
            timeout: StoreTimeout::new(STORE_TIMEOUT, programs.timeout()),
            programs,
            topic,
            messages: messages.clamp(1, MAX_MESSAGES),
            ttl,
        })
    }

    pub(super) fn key(&self, id: impl KeyId) -> Key {
        Key::new(HistoryRecord::KIND, (self.topic.name(), id))
    }

    /// Adds a message, and returns its position.
    pub(super) async fn append(&self, key: &Key, message: Bytes) -> Result<Position> {
        let append = Append {
            message,
            epoch: new_epoch(),
            ttl: self.ttl,
            messages: self.messages,
        };
        self.programs.run(key, &append).await
    }

    /// Returns the position after the last message. It begins a history if there is none.
    pub(super) async fn open(&self, key: &Key) -> Result<Position> {
        let open = Open {
            epoch: new_epoch(),
            ttl: self.ttl,
        };
        self.programs.run(key, &open).await
    }

    /// Returns the first messages after a position. It has a deadline, since subscribers never give up.
    pub(super) async fn after(&self, key: &Key, position: Position) -> Result<Excerpt> {
        let read = ReadAfter {
            position,
            many: PAGE,
            bytes: PAGE_BYTES,
        };
        let read = self.programs.run(key, &read);
        self.timeout.run("read", read).await
    }
}

/// Makes a random epoch, so that no history is mistaken for an earlier one.
fn new_epoch() -> i64 {
    // Within 2^53, like all integers of programs, and never 0.
    ((rand::random::<u64>() >> 11) as i64).max(1)
}

pub(super) fn missing(operation: &'static str) -> Error {
    let text = "the topic keeps no history: build it with Topic::with_history";
    Error::new(operation, ErrorKind::Invalid, text)
}

/// The Lua at the start of all programs on a history. It reads the epoch and the last offset.
macro_rules! history_lua {
    ($lua:literal) => {
        concat!(
            "local epoch, last = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+)-(%d+)$')
             -- What is not of this form was not written here, and counts as absent.
             local e, l, most = tonumber(epoch), tonumber(last), 9007199254740992
             if epoch and (e > most or l >= most or num(e) ~= epoch) then epoch = nil end
             ",
            $lua
        )
    };
}

/// The record of a history, for [`inspect`](larder_store::program::Programs#method.inspect).
///
/// On Redis a string holds the epoch and the last offset, and a list the last messages.
#[derive(Debug)]
pub struct HistoryRecord {
    epoch: i64,
    last: i64,
    messages: VecDeque<Bytes>,
}

record! {
    HistoryRecord, Kind::record("topic").partitioned(), parts ["", "messages"];
    /// Shows people and tools the position of a history, and its number of messages. It shows no
    /// message.
    pub InspectHistory = "topic-inspect",
    history_lua!(
        "if not epoch then return {} end
         return {'epoch', epoch, 'last', last, 'messages', redis.call('LLEN', KEYS[2])}"
    ),
    |held, shown| shown
        .with("epoch", held.epoch)
        .with("last", held.last)
        .with("messages", held.messages.len()),
}

impl HistoryRecord {
    fn new(epoch: i64) -> Self {
        Self {
            epoch,
            last: 0,
            messages: VecDeque::new(),
        }
    }

    fn position(&self) -> Position {
        Position {
            epoch: self.epoch,
            offset: self.last,
        }
    }
}

impl FromWire for Position {
    fn from_wire(wire: Wire) -> Result<Self> {
        let (epoch, offset) = wire.read()?;
        Ok(Self { epoch, offset })
    }
}

/// Adds a message, and removes the oldest past the cap.
#[derive(Clone, Debug)]
pub(super) struct Append {
    pub(super) message: Bytes,
    /// The epoch of the history if it begins.
    pub(super) epoch: i64,
    pub(super) ttl: Ttl,
    pub(super) messages: u32,
}

impl Program for Append {
    type Record = HistoryRecord;
    type Reply = Position;

    // If a history has lost its epoch, its remaining messages belong to no position.
    const SCRIPT: &'static Script = &Script::new(
        "topic-append",
        Effect::Once,
        history_lua!(
            "if not epoch then
               epoch, last = ARGV[2], 0
               del(KEYS[2])
             end
             last = num(tonumber(last) + 1)
             redis.call('RPUSH', KEYS[2], ARGV[1])
             redis.call('LTRIM', KEYS[2], -tonumber(ARGV[4]), -1)
             put(KEYS[1], epoch .. '-' .. last, ARGV[3])
             ttl(KEYS[2], ARGV[3])
             return {epoch, last}"
        ),
    );

    arguments!(message, epoch, ttl, messages);

    fn step(&self, record: &mut Slot<'_, HistoryRecord>, _: Timestamp) -> Position {
        let held = record.update_or(self.ttl, || HistoryRecord::new(self.epoch));
        held.last += 1;
        held.messages.push_back(self.message.clone());
        while held.messages.len() > self.messages as usize {
            held.messages.pop_front();
        }
        held.position()
    }
}

/// Begins a history unless there is one, and returns its position.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) epoch: i64,
    pub(super) ttl: Ttl,
}

impl Program for Open {
    type Record = HistoryRecord;
    type Reply = Position;

    const SCRIPT: &'static Script = &Script::new(
        "topic-open",
        Effect::Once,
        history_lua!(
            "if not epoch then
               epoch, last = ARGV[1], '0'
               del(KEYS[2])
             end
             put(KEYS[1], epoch .. '-' .. last, ARGV[2])
             ttl(KEYS[2], ARGV[2])
             return {epoch, last}"
        ),
    );

    arguments!(epoch, ttl);

    fn step(&self, record: &mut Slot<'_, HistoryRecord>, _: Timestamp) -> Position {
        record
            .update_or(self.ttl, || HistoryRecord::new(self.epoch))
            .position()
    }
}

/// Reads messages after a position: at most `many`, and `bytes` of them unless the first is longer.
#[derive(Clone, Debug)]
pub(super) struct ReadAfter {
    pub(super) position: Position,
    pub(super) many: u32,
    pub(super) bytes: u32,
}

/// Some messages of a history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// The epoch. 0 if there is no history.
    pub(super) epoch: i64,
    /// The last offset.
    pub(super) last: i64,
    /// The offset of the first stored message, or of the next one.
    pub(super) first: i64,
    /// The offset of the first message of this excerpt.
    pub(super) from: i64,
    pub(super) messages: Vec<Bytes>,
}

impl Excerpt {
    /// Returns whether the history has messages after these.
    pub(super) fn has_more(&self) -> bool {
        self.from + (self.messages.len() as i64) <= self.last
    }
}

impl FromWire for Excerpt {
    fn from_wire(wire: Wire) -> Result<Self> {
        let (epoch, last, first, from, messages) = wire.read()?;
        Ok(Self {
            epoch,
            last,
            first,
            from,
            messages,
        })
    }
}

impl Program for ReadAfter {
    type Record = HistoryRecord;
    type Reply = Excerpt;

    const SCRIPT: &'static Script = &Script::new(
        "topic-read",
        Effect::Read,
        history_lua!(
            "if not epoch then return {0, 0, 0, 0, {}} end
             local first = tonumber(last) - redis.call('LLEN', KEYS[2]) + 1
             local from, messages = math.max(tonumber(ARGV[2]) + 1, first), {}
             local left, room = epoch == ARGV[1] and tonumber(ARGV[3]) or 0, tonumber(ARGV[4])
             while left > 0 do
               -- A few at a time, so that hardly more are copied than fit.
               local at, few = from - first + #messages, math.min(left, 16)
               local found = redis.call('LRANGE', KEYS[2], num(at), num(at + few - 1))
               left = #found < few and 0 or left - few
               for _, message in ipairs(found) do
                 room = room - #message
                 if #messages > 0 and room < 0 then
                   left = 0
                   break
                 end
                 messages[#messages + 1] = message
               end
             end
             return {epoch, last, num(first), num(from), messages}"
        ),
    );

    fn args(&self, args: &mut Args) {
        (self.position.epoch, self.position.offset).write(args);
        (self.many, self.bytes).write(args);
    }

    fn reply(&self, wire: Wire) -> Result<Excerpt> {
        wire.read()
    }

    fn step(&self, record: &mut Slot<'_, HistoryRecord>, _: Timestamp) -> Excerpt {
        let Some(held) = record.get() else {
            return Excerpt::default();
        };
        let first = held.last - held.messages.len() as i64 + 1;
        let from = first.max(self.position.offset + 1);
        let mut messages = Vec::new();
        if held.epoch == self.position.epoch {
            let kept = held.messages.iter().skip((from - first) as usize);
            let mut bytes = 0;
            for message in kept.take(self.many as usize) {
                bytes += message.len();
                if !messages.is_empty() && bytes > self.bytes as usize {
                    break;
                }
                messages.push(message.clone());
            }
        }
        Excerpt {
            epoch: held.epoch,
            last: held.last,
            first,
            from,
            messages,
        }
    }
}
