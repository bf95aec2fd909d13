//! Programs on the records of other crates, for tools.

use std::marker::PhantomData;

use larder_store::Timestamp;
use larder_store::program::{Args, Effect, Program, Record, Script, Slot, Wire};

/// Removes a record whole, and wakes those who wait for it.
///
/// Returns whether there was one.
///
/// ```no_run
/// use larder_ops::records::Remove;
/// use larder_store::program::{Programs, Record};
/// use larder_store::{Key, Result};
///
/// async fn remove<R: Record>(programs: &dyn Programs, key: &Key) -> Result<bool> {
///     programs.run(key, &Remove::<R>::new()).await
/// }
/// ```
pub struct Remove<R>(PhantomData<fn() -> R>);

impl<R> Remove<R> {
    /// Makes the program.
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<R> Default for Remove<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> std::fmt::Debug for Remove<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Remove")
    }
}

const SCRIPT: Script = Script::new(
    "ops-remove",
    Effect::Once,
    "local removed = 0
     for _, key in ipairs(KEYS) do
       if left(key) ~= -2 then removed = 1 end
       del(key)
     end
     wake()
     return removed",
)
.runs_when_full();

impl<R: Record> Program for Remove<R> {
    type Record = R;
    type Reply = bool;

    const SCRIPT: &'static Script = &SCRIPT;

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, R>, _: Timestamp) -> bool {
        let was_there = record.get().is_some();
        record.remove();
        record.wake();
        was_there
    }

    fn reply(&self, wire: Wire) -> larder_store::Result<bool> {
        wire.read()
    }
}
