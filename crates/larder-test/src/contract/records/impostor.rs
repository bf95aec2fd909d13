use larder_store::program::{Args, Effect, Inspection, Program, Record, Script, Slot, Wire};
use larder_store::{Kind, Result, Timestamp, Ttl};

/// A record with the kind of a [`Tally`](super::Tally), but of another type.
///
/// On Redis it is a hash; a tally is a string.
#[derive(Debug)]
pub struct Impostor(i64);

impl Record for Impostor {
    const KIND: Kind = Kind::record("law-tally");
    type Inspect = InspectImpostor;
}

/// Marks an impostor, and returns how often it was marked.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// The TTL of the impostor from now on.
    pub ttl: Ttl,
}

impl Program for Mark {
    type Record = Impostor;
    type Reply = i64;

    const SCRIPT: &'static Script = &Script::new(
        "law-mark",
        Effect::Once,
        "local marks = redis.call('HINCRBY', KEYS[1], 'marks', 1)
         ttl(KEYS[1], tonumber(ARGV[1]))
         return num(marks)",
    );

    fn args(&self, args: &mut Args) {
        args.int(self.ttl.as_millis() as i64);
    }

    fn step(&self, record: &mut Slot<'_, Impostor>, _: Timestamp) -> i64 {
        let marks = record.get().map_or(0, |impostor| impostor.0) + 1;
        record.put(Impostor(marks), self.ttl);
        marks
    }

    fn reply(&self, wire: Wire) -> Result<i64> {
        wire.int()
    }
}

/// Shows how often an impostor was marked.
#[derive(Clone, Copy, Debug, Default)]
pub struct InspectImpostor;

impl Program for InspectImpostor {
    type Record = Impostor;
    type Reply = Inspection;

    const SCRIPT: &'static Script = &Script::new(
        "law-inspect-impostor",
        Effect::Read,
        "local marks = redis.call('HGET', KEYS[1], 'marks')
         if not marks then return {} end
         return {'marks', marks}",
    );

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, Impostor>, _: Timestamp) -> Inspection {
        match record.get() {
            Some(impostor) => Inspection::new().with("marks", impostor.0),
            None => Inspection::new(),
        }
    }

    fn reply(&self, wire: Wire) -> Result<Inspection> {
        Inspection::from_wire(wire)
    }
}
