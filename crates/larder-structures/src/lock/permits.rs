use larder_store::program::prelude::*;

/// How long a record outlives its holders, so that its fences rise whatever the clock does.
const MEMORY_US: i64 = 60_000_000;

/// The holders of a lock or semaphore, and the queue of waiters in order.
///
/// On Redis it is one string. Everything that has ended is removed at the next write.
#[derive(Clone, Debug, Default)]
pub struct Permits {
    /// The fence of the last holder.
    last: i64,
    held: Vec<Holder>,
    queue: Vec<Place>,
}

#[derive(Clone, Debug)]
struct Holder {
    fence: i64,
    ends: i64,
    owner: i64,
}

#[derive(Clone, Debug)]
struct Place {
    ends: i64,
    owner: i64,
}

impl Record for Permits {
    const KIND: Kind = Kind::record("lock");

    type Inspect = InspectPermits;
}

/// Shows the last fence, the holders with the ends of their leases, and how many wait in order.
#[derive(Clone, Copy, Debug, Default)]
pub struct InspectPermits;

impl Program for InspectPermits {
    type Record = Permits;
    type Reply = Inspection;

    const SCRIPT: &'static Script =
        &Script::new("lock-inspect", Effect::Read, include_str!("inspect.lua"));

    arguments!();

    fn step(&self, record: &mut Slot<'_, Permits>, now: Timestamp) -> Inspection {
        let shown = Inspection::new();
        match record.get() {
            Some(permits) => permits.show(shown, now.as_micros()),
            None => shown,
        }
    }
}

impl Permits {
    fn show(&self, shown: Inspection, now: i64) -> Inspection {
        let shown = shown.with("last_fence", self.last);
        let holders = self.held.iter();
        let shown = holders.fold(shown, |shown, it| {
            shown.with(format!("holder {} ends_us", it.fence), it.ends)
        });
        // Places that have ended stay until the next write.
        let waiting = self.queue.iter().filter(|it| it.ends > now);
        shown.with("queue", waiting.count())
    }

    /// Returns the state of the record at `now`.
    fn at(now: i64, record: &Slot<'_, Self>) -> Self {
        let mut permits = record.get().cloned().unwrap_or_default();
        permits.held.retain(|it| it.ends > now);
        permits.queue.retain(|it| it.ends > now);
        permits
    }

    fn keep(self, now: i64, record: &mut Slot<'_, Self>) {
        let holders = self.held.iter().map(|it| it.ends);
        let places = self.queue.iter().map(|it| it.ends);
        let latest = holders.chain(places).max().unwrap_or(now);
        let millis = Ttl::covering_micros((latest - now) + MEMORY_US);
        record.put(self, millis);
    }
}

/// Takes a permit if one is free, or a place in the queue.
///
/// It is idempotent: a caller that already holds a permit gets the same answer again.
#[derive(Clone, Debug)]
pub(crate) struct Acquire {
    /// A random number below 2^53 that identifies this attempt.
    pub(crate) owner: i64,
    pub(crate) hold_us: i64,
    pub(crate) permits: u32,
    /// How long a place in the queue is kept unless it is requested again; 0 without a queue, and -1
    /// to respect the queue without taking a place in it.
    pub(crate) place_us: i64,
    pub(crate) longest_queue: u32,
}

/// The result of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acquired {
    /// A permit is held under this fence, for this many microseconds.
    Held(i64, i64),
    /// None is free for us. The holder or waiter before us ends in this time, in microseconds, unless it is
    /// renewed. If a waiter before us may take one now, this is at most as long as we would hold it.
    Busy(i64),
    /// The queue is full.
    Full,
}

impl Program for Acquire {
    type Record = Permits;
    type Reply = Acquired;

    const SCRIPT: &'static Script = &Script::new(
        "lock-acquire",
        Effect::Idempotent,
        concat!(include_str!("state.lua"), include_str!("acquire.lua")),
    );

    arguments!(owner, hold_us, permits, place_us, longest_queue);

    fn step(&self, record: &mut Slot<'_, Permits>, now: Timestamp) -> Acquired {
        let now = now.as_micros();
        let mut permits = Permits::at(now, record);
        if let Some(mine) = permits.held.iter().find(|it| it.owner == self.owner) {
            return Acquired::Held(mine.fence, mine.ends - now);
        }
        let mine = permits.queue.iter().position(|it| it.owner == self.owner);
        let ahead = match self.place_us {
            0 => 0,
            _ => mine.unwrap_or(permits.queue.len()),
        };
        if permits.held.len() + ahead < self.permits as usize {
            if let Some(mine) = mine {
                permits.queue.remove(mine);
            }
            permits.last = now.max(permits.last + 1);
            let fence = permits.last;
            permits.held.push(Holder {
                fence,
                ends: now + self.hold_us,
                owner: self.owner,
            });
            permits.keep(now, record);
            return Acquired::Held(fence, self.hold_us);
        }
        let holders = permits.held.iter().map(|it| it.ends);
        let before = permits.queue.iter().take(ahead).map(|it| it.ends);
        // What is free is theirs, and they hold it from now on for as long as we would: nobody wakes us if they
        // let it lapse.
        let is_free = permits.held.len() < self.permits as usize;
        let theirs = is_free.then_some(now + self.hold_us);
        let first = holders.chain(before).chain(theirs).min().unwrap_or(now);
        if self.place_us > 0 {
            let ends = now + self.place_us;
            match mine {
                Some(mine) => permits.queue[mine].ends = ends,
                None if permits.queue.len() >= self.longest_queue as usize => {
                    return Acquired::Full;
                }
                None => permits.queue.push(Place {
                    ends,
                    owner: self.owner,
                }),
            }
            permits.keep(now, record);
        }
        Acquired::Busy(first - now)
    }
}

impl FromWire for Acquired {
    /// Reads `{1, fence, hold}`, `{0, 0, left}` or `{2, 0, 0}`.
    fn from_wire(wire: Wire) -> Result<Self> {
        match wire.read::<(i64, i64, i64)>()? {
            (1, fence, left) => Ok(Self::Held(fence, left)),
            (0, 0, left) => Ok(Self::Busy(left)),
            (2, 0, 0) => Ok(Self::Full),
            (_, _, _) => Err(Wire::unexpected("the result of an attempt")),
        }
    }
}

/// Holds a permit for this long from now on, and returns whether it was still held.
#[derive(Clone, Debug)]
pub(crate) struct Renew {
    pub(crate) fence: i64,
    pub(crate) hold_us: i64,
}

impl Program for Renew {
    type Record = Permits;
    type Reply = bool;

    const SCRIPT: &'static Script = &Script::new(
        "lock-renew",
        Effect::Idempotent,
        concat!(include_str!("state.lua"), include_str!("renew.lua")),
    )
    .runs_when_full();

    arguments!(fence, hold_us);

    fn step(&self, record: &mut Slot<'_, Permits>, now: Timestamp) -> bool {
        let now = now.as_micros();
        let mut permits = Permits::at(now, record);
        let Some(mine) = permits.held.iter_mut().find(|it| it.fence == self.fence) else {
            return false;
        };
        let before = std::mem::replace(&mut mine.ends, now + self.hold_us);
        permits.keep(now, record);
        if now + self.hold_us < before {
            record.wake();
        }
        true
    }
}

/// Releases a permit, whoever holds it, and returns whether it was still held.
///
/// It is for tools that take a lock from a holder: [`InspectPermits`] shows the fences.
#[derive(Clone, Debug)]
pub struct Release {
    /// The [fence](crate::lock::LockGuard::fence) of the holder.
    pub fence: i64,
}

impl Program for Release {
    type Record = Permits;
    type Reply = bool;

    const SCRIPT: &'static Script = &Script::new(
        "lock-release",
        Effect::Once,
        concat!(include_str!("state.lua"), include_str!("release.lua")),
    )
    .runs_when_full();

    arguments!(fence);

    fn step(&self, record: &mut Slot<'_, Permits>, now: Timestamp) -> bool {
        let now = now.as_micros();
        let mut permits = Permits::at(now, record);
        let Some(mine) = permits.held.iter().position(|it| it.fence == self.fence) else {
            return false;
        };
        permits.held.remove(mine);
        permits.keep(now, record);
        record.wake();
        true
    }
}

/// Undoes everything that an attempt has left: its place, and a permit that its caller never heard of.
#[derive(Clone, Debug)]
pub(crate) struct Leave {
    pub(crate) owner: i64,
}

impl Program for Leave {
    type Record = Permits;
    type Reply = ();

    const SCRIPT: &'static Script = &Script::new(
        "lock-leave",
        Effect::Idempotent,
        concat!(include_str!("state.lua"), include_str!("leave.lua")),
    )
    .runs_when_full();

    arguments!(owner);

    fn step(&self, record: &mut Slot<'_, Permits>, now: Timestamp) {
        let now = now.as_micros();
        let mut permits = Permits::at(now, record);
        let before = permits.held.len() + permits.queue.len();
        permits.held.retain(|it| it.owner != self.owner);
        permits.queue.retain(|it| it.owner != self.owner);
        if permits.held.len() + permits.queue.len() < before {
            permits.keep(now, record);
            record.wake();
        }
    }
}
