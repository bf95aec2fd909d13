use std::sync::Arc;

use larder_store::program::{
    Args, Effect, Inspection, Numbers, Program, Programs, Record, Script, Slot, Wire,
};
use larder_store::{
    Error, ErrorKind, Key, KeyId, Kind, ManualClock, Put, Refusal, Result, Timestamp, Ttl,
};

use crate::{MokaStore, MokaStoreBuilder};

pub(super) const PAGE: Kind = Kind::evictable("page");
pub(super) const SEAT: Kind = Kind::pinned("seat");
pub(super) const SECOND: Ttl = Ttl::from_secs(1);
pub(super) const HOUR: Ttl = Ttl::from_secs(3600);

/// Returns a store on a manual clock.
pub(super) fn store_with(
    settings: impl FnOnce(MokaStoreBuilder) -> MokaStoreBuilder,
) -> (Arc<MokaStore>, ManualClock) {
    let clock = ManualClock::default();
    let builder = settings(MokaStore::builder().with_clock(clock.clone()));
    (Arc::new(builder.build()), clock)
}

pub(super) fn put(kind: Kind, id: impl KeyId, ttl: Ttl) -> Put {
    Put::new(Key::new(kind, id), "value", ttl)
}

pub(super) fn is_full(error: &Error) -> bool {
    error.kind() == ErrorKind::Refused(Refusal::Full)
}

pub(super) fn is_wrong_type(error: &Error) -> bool {
    error.kind() == ErrorKind::Refused(Refusal::WrongType)
}

/// A record that counts.
pub(super) struct Tally(pub(super) i64);

impl Tally {
    pub(super) fn key(id: impl KeyId) -> Key {
        Key::new(Self::KIND, id)
    }
}

impl Record for Tally {
    const KIND: Kind = Kind::record("tally");
    const NUMBERS: Option<Numbers<Self>> = Some(Numbers {
        write: |tally| [tally.0, 0],
        read: |[tally, _]| Self(tally),
    });
    type Inspect = Inspect;
}

#[derive(Default)]
pub(super) struct Inspect;

static NONE: Script = Script::new("none", Effect::Once, "");

impl Program for Inspect {
    type Record = Tally;
    type Reply = Inspection;
    const SCRIPT: &'static Script = &NONE;

    fn args(&self, _: &mut Args) {}

    fn step(&self, slot: &mut Slot<'_, Tally>, _: Timestamp) -> Inspection {
        let inspection = Inspection::new();
        match slot.get() {
            Some(tally) => inspection.with("tally", tally.0),
            None => inspection,
        }
    }

    fn reply(&self, wire: Wire) -> Result<Inspection> {
        Inspection::from_wire(wire)
    }
}

/// Changes a tally. The reply is the tally before the step.
#[derive(Clone, Copy)]
pub(super) enum Step {
    Add(i64, Ttl),
    Read,
    Remove,
    PanicAfterAdding(i64, Ttl),
    PanicAfterRemoving,
}

impl Program for Step {
    type Record = Tally;
    type Reply = Option<i64>;
    const SCRIPT: &'static Script = &NONE;

    fn args(&self, _: &mut Args) {}

    fn step(&self, slot: &mut Slot<'_, Tally>, _: Timestamp) -> Option<i64> {
        let before = slot.get().map(|tally| tally.0);
        match *self {
            Self::Read => {}
            Self::Add(by, ttl) | Self::PanicAfterAdding(by, ttl) => match slot.update(ttl) {
                Some(tally) => tally.0 += by,
                None => slot.put(Tally(by), ttl),
            },
            Self::Remove | Self::PanicAfterRemoving => slot.remove(),
        }
        match self {
            Self::PanicAfterAdding(..) | Self::PanicAfterRemoving => panic!("as it was told"),
            _ => before,
        }
    }

    fn reply(&self, wire: Wire) -> Result<Option<i64>> {
        wire.optional_int()
    }
}

pub(super) async fn run<P: Program>(
    store: &Arc<MokaStore>,
    key: &Key,
    program: P,
) -> Result<P::Reply> {
    let programs: Arc<dyn Programs> = store.clone();
    programs.run(key, &program).await
}
