use std::ops::Deref;

use larder_store::Key;

use super::history::micros;
use super::{ReplicaReads, Shared};
use crate::cluster::slot_of;

/// Keys that are being written, from the start of the write to its end, in whatever way it ends.
pub(crate) struct Writing<'a> {
    shared: &'a Shared,
    slots: Vec<u16>,
}

impl ReplicaReads {
    /// Marks `keys` as being written from now on.
    pub(crate) fn write<'k>(&self, keys: impl IntoIterator<Item = &'k Key>) -> Writing<'_> {
        let shared = &*self.shared;
        let slots = keys.into_iter().map(|key| slot_of(key.as_bytes()));
        let writing = Writing {
            shared,
            slots: slots.collect(),
        };
        // For the reads during the write.
        writing.note(shared.now() + micros(shared.deadline));
        writing
    }
}

impl Writing<'_> {
    fn note(&self, until: u64) {
        for &slot in &self.slots {
            self.shared.written.note(slot, until);
        }
    }
}

impl Drop for Writing<'_> {
    // If the process was suspended, the write may have ended after its deadline.
    fn drop(&mut self) {
        self.note(self.shared.now() + 1);
    }
}

/// An operation that writes.
pub(crate) struct Write<'a, T> {
    operation: T,
    _writing: Option<Writing<'a>>,
}

impl<'a, T> Write<'a, T> {
    pub(crate) fn new(operation: T, writing: Option<Writing<'a>>) -> Self {
        Self {
            operation,
            _writing: writing,
        }
    }
}

impl<T> Deref for Write<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.operation
    }
}
