use bytes::Bytes;
use larder_store::program::{Args, Effect, Inspection, Program, Record, Script, Slot, Wire};
use larder_store::{Kind, Result, Timestamp, Ttl};

/// A list of lines, and their total length in bytes.
///
/// On Redis it is a list and a string: a record of two parts.
#[derive(Debug)]
pub struct Journal(Lines);

/// The content of a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// The lines, oldest first.
    pub lines: Vec<Bytes>,
    /// Their total length. None if the journal, or that part of it, is absent.
    pub bytes: Option<i64>,
}

impl Lines {
    fn push(&mut self, line: Bytes) -> i64 {
        let bytes = self.bytes.unwrap_or(0) + line.len() as i64;
        self.bytes = Some(bytes);
        self.lines.push(line);
        bytes
    }
}

impl Record for Journal {
    const KIND: Kind = Kind::record("law-journal");
    const PARTS: &'static [&'static str] = &["", "bytes"];
    type Inspect = InspectJournal;
}

/// Appends a line, and returns the bytes that the journal then holds.
#[derive(Clone, Debug)]
pub struct Append {
    /// The line, of any bytes.
    pub line: Bytes,
    /// The TTL of the journal from now on.
    pub ttl: Ttl,
}

impl Program for Append {
    type Record = Journal;
    type Reply = i64;

    const SCRIPT: &'static Script = &Script::new(
        "law-append",
        Effect::Once,
        "local bytes = tonumber(redis.call('GET', KEYS[2]) or '0') + #ARGV[1]
         redis.call('RPUSH', KEYS[1], ARGV[1])
         ttl(KEYS[1], tonumber(ARGV[2]))
         put(KEYS[2], num(bytes), tonumber(ARGV[2]))
         return num(bytes)",
    );

    fn args(&self, args: &mut Args) {
        args.bytes(&self.line);
        args.int(self.ttl.as_millis() as i64);
    }

    fn step(&self, record: &mut Slot<'_, Journal>, _: Timestamp) -> i64 {
        if let Some(Journal(lines)) = record.update(self.ttl) {
            return lines.push(self.line.clone());
        }
        let mut lines = Lines::default();
        let bytes = lines.push(self.line.clone());
        record.put(Journal(lines), self.ttl);
        bytes
    }

    fn reply(&self, wire: Wire) -> Result<i64> {
        wire.int()
    }
}

/// Returns the content of a journal.
#[derive(Clone, Copy, Debug)]
pub struct ReadJournal;

impl Program for ReadJournal {
    type Record = Journal;
    type Reply = Lines;

    const SCRIPT: &'static Script = &Script::new(
        "law-read-journal",
        Effect::Read,
        "return {redis.call('GET', KEYS[2]), redis.call('LRANGE', KEYS[1], 0, -1)}",
    );

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, Journal>, _: Timestamp) -> Lines {
        record
            .get()
            .map(|journal| journal.0.clone())
            .unwrap_or_default()
    }

    fn reply(&self, wire: Wire) -> Result<Lines> {
        let [bytes, lines] = wire.array()?;
        Ok(Lines {
            lines: lines
                .list()?
                .into_iter()
                .map(Wire::bytes)
                .collect::<Result<_>>()?,
            bytes: bytes.optional_int()?,
        })
    }
}

/// Removes a journal, and returns how many lines it held.
#[derive(Clone, Copy, Debug)]
pub struct ClearJournal;

impl Program for ClearJournal {
    type Record = Journal;
    type Reply = i64;

    const SCRIPT: &'static Script = &Script::new(
        "law-clear-journal",
        Effect::Once,
        "local lines = redis.call('LLEN', KEYS[1])
         del(KEYS[1])
         del(KEYS[2])
         return lines",
    )
    .runs_when_full();

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, Journal>, _: Timestamp) -> i64 {
        let lines = record.get().map_or(0, |journal| journal.0.lines.len());
        record.remove();
        lines as i64
    }

    fn reply(&self, wire: Wire) -> Result<i64> {
        wire.int()
    }
}

/// Shows the number of bytes and lines.
#[derive(Clone, Copy, Debug, Default)]
pub struct InspectJournal;

impl Program for InspectJournal {
    type Record = Journal;
    type Reply = Inspection;

    const SCRIPT: &'static Script = &Script::new(
        "law-inspect-journal",
        Effect::Read,
        "local bytes = redis.call('GET', KEYS[2])
         if not bytes then return {} end
         return {'bytes', bytes, 'lines', redis.call('LLEN', KEYS[1])}",
    );

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, Journal>, _: Timestamp) -> Inspection {
        match record.get() {
            Some(Journal(Lines { lines, bytes })) => Inspection::new()
                .with("bytes", bytes.unwrap_or(0))
                .with("lines", lines.len()),
            None => Inspection::new(),
        }
    }

    fn reply(&self, wire: Wire) -> Result<Inspection> {
        Inspection::from_wire(wire)
    }
}
