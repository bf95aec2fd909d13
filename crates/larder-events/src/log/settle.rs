use std::sync::Arc;

use larder_store::program::prelude::*;

use super::EventId;
use super::record::{LogRecord, RETURNED, log_lua, millis};

/// Settles or extends deliveries, each only if it is still the last one of its event.
#[derive(Clone, Debug)]
pub(super) struct Settle {
    pub(super) what: What,
    pub(super) group: Arc<str>,
    pub(super) lease: Ttl,
    pub(super) max_dead: u32,
    pub(super) ttl: Ttl,
    pub(super) deliveries: Vec<Held>,
}

/// What happens to deliveries.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// The event is handled.
    Ack,
    /// The lease is renewed.
    Extend,
    /// The event is delivered again after a while, in milliseconds.
    Nack(i64),
    /// The event goes to the dead letters.
    Reject(Arc<str>),
}

/// A delivery, identified by its event, its consumer, and its count.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) id: EventId,
    pub(super) consumer: Arc<str>,
    pub(super) count: u32,
}

/// The outcome of settling a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "another consumer now holds the event of a stale delivery"]
pub enum Settled {
    /// It was the last delivery of its event, and is settled.
    Done,
    /// The event was delivered again since, or handed back. Nothing was changed. So if you repeat a
    /// [`nack`](super::Consumer::nack) after its reply was lost, this means most likely that the first one arrived.
    Stale,
    /// The event is not pending: it was acknowledged before, by this consumer or a later one, or became a dead
    /// letter, or is lost. So if you repeat an acknowledgement or a rejection after its reply was lost, this means that
    /// the first one arrived.
    Gone,
}

impl FromWire for Settled {
    fn from_wire(wire: Wire) -> Result<Self> {
        match &*wire.bytes()? {
            b"done" => Ok(Self::Done),
            b"stale" => Ok(Self::Stale),
            b"gone" => Ok(Self::Gone),
            _ => Err(Wire::unexpected("the outcome of a delivery")),
        }
    }
}

impl Arg for Held {
    fn write(&self, args: &mut Args) {
        (self.id, (&self.consumer, self.count)).write(args);
    }
}

impl What {
    fn name(&self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Extend => "extend",
            Self::Nack(_) => "nack",
            Self::Reject(_) => "reject",
        }
    }

    /// Returns whether the answer to a repeated request shows that most likely the first one was carried out, whose
    /// reply was lost.
    pub(super) fn had_run(&self, settled: Settled) -> bool {
        match self {
            Self::Ack | Self::Reject(_) => settled == Settled::Gone,
            // It is nobody's, or the next consumer has it, or is done with it.
            Self::Nack(_) => true,
            Self::Extend => false,
        }
    }

    fn delay(&self) -> i64 {
        match self {
            Self::Nack(delay) => *delay,
            _ => 0,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Reject(reason) => reason,
            _ => "",
        }
    }
}

impl Program for Settle {
    type Record = LogRecord;
    type Reply = Vec<Settled>;

    const SCRIPT: &'static Script =
        &Script::new("log-settle", Effect::Once, log_lua!("settle.lua")).runs_when_full();

    fn args(&self, args: &mut Args) {
        (self.what.name(), (&self.group, self.lease)).write(args);
        (self.what.delay(), self.what.reason()).write(args);
        (self.max_dead, self.ttl).write(args);
        self.deliveries.write(args);
    }

    fn reply(&self, wire: Wire) -> Result<Vec<Settled>> {
        wire.read()
    }

    fn step(&self, record: &mut Slot<'_, LogRecord>, now: Timestamp) -> Vec<Settled> {
        let none = || vec![Settled::Gone; self.deliveries.len()];
        if !record
            .get()
            .is_some_and(|log| log.groups.contains_key(&self.group))
        {
            return none();
        }
        let Some(log) = record.update(self.ttl) else {
            return none();
        };
        let now_ms = millis(now);
        let done: Vec<_> = self
            .deliveries
            .iter()
            .map(|held| self.settle(log, held, now_ms))
            .collect();
        if matches!(self.what, What::Nack(_)) && done.contains(&Settled::Done) {
            record.wake();
        }
        done
    }
}

impl Settle {
    fn settle(&self, log: &mut LogRecord, held: &Held, now_ms: i64) -> Settled {
        let lease = self.lease.as_millis() as i64;
        let Some(group) = log.groups.get_mut(&self.group) else {
            return Settled::Gone;
        };
        let Some(it) = group.pending.get_mut(&held.id) else {
            return Settled::Gone;
        };
        if it.consumer != held.consumer || it.count != i64::from(held.count) {
            return Settled::Stale;
        }
        match &self.what {
            What::Ack => {
                group.pending.remove(&held.id);
            }
            What::Extend => it.delivered = now_ms,
            What::Nack(delay) => {
                // It belongs to no consumer, and is due after the delay, which is at most a lease.
                let at = now_ms - lease + lease.min(*delay);
                it.consumer = RETURNED.into();
                it.delivered = at.max(0);
                group.is_due_at(at + lease);
            }
            What::Reject(reason) => log.bury(&self.group, held.id, reason, now_ms, self.max_dead),
        }
        Settled::Done
    }
}
