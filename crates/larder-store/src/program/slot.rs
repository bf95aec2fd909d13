use std::any::Any;
use std::marker::PhantomData;

use crate::Ttl;

/// The place of one record in an in-process store, whatever its type.
///
/// A store hands it to [`Call::step`](super::Call::step), and then looks at what became of it.
#[derive(Default)]
pub struct Cell {
    record: Option<Box<dyn Any + Send>>,
    ttl: Option<Ttl>,
}

impl Cell {
    /// Makes a cell without a record.
    #[inline]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns whether it holds no record.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.record.is_none()
    }

    /// Takes the TTL that the last step set, if it set one.
    #[inline]
    pub fn take_ttl(&mut self) -> Option<Ttl> {
        self.ttl.take()
    }

    /// Returns whether it holds nothing, or a record of type `R`.
    #[inline]
    pub(super) fn fits<R: 'static>(&self) -> bool {
        self.record.as_ref().is_none_or(|record| record.is::<R>())
    }
}

impl std::fmt::Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cell")
            .field("is_empty", &self.is_empty())
            .field("ttl", &self.ttl)
            .finish()
    }
}

/// Records that steps replaced or removed. A step runs under a lock of its store, and to drop a
/// record may run any code, so the caller drops it.
pub(super) type Discarded = Vec<Box<dyn Any + Send>>;

/// The record of a step: absent, or present with a TTL.
pub struct Slot<'a, R> {
    cell: &'a mut Cell,
    discarded: &'a mut Discarded,
    wakes: &'a mut bool,
    record: PhantomData<R>,
}

impl<'a, R: Send + 'static> Slot<'a, R> {
    pub(super) fn new(
        cell: &'a mut Cell,
        discarded: &'a mut Discarded,
        wakes: &'a mut bool,
    ) -> Self {
        Self {
            cell,
            discarded,
            wakes,
            record: PhantomData,
        }
    }

    /// Returns the record, if there is one.
    #[inline]
    pub fn get(&self) -> Option<&R> {
        self.cell.record.as_ref()?.downcast_ref()
    }

    /// Replaces the record and its TTL.
    ///
    /// It allocates only if there was none, or if a record of this type owns anything: the old one
    /// is dropped after the step.
    #[inline]
    pub fn put(&mut self, record: R, ttl: Ttl) {
        let in_place = !std::mem::needs_drop::<R>();
        match self.update(ttl).filter(|_| in_place) {
            Some(held) => *held = record,
            None => {
                let before = self.cell.record.replace(Box::new(record));
                self.discarded.extend(before);
            }
        }
        self.cell.ttl = Some(ttl);
    }

    /// Gives mutable access to the record and sets its TTL. None if there is none.
    #[inline]
    pub fn update(&mut self, ttl: Ttl) -> Option<&mut R> {
        let record = self.cell.record.as_mut()?.downcast_mut()?;
        self.cell.ttl = Some(ttl);
        Some(record)
    }

    /// Returns mutable access to the record, or None if there is none. Its TTL stays.
    pub fn get_mut(&mut self) -> Option<&mut R> {
        self.cell.record.as_mut()?.downcast_mut()
    }

    /// Gives mutable access to the record, made by `make` if absent, and sets its TTL.
    pub fn update_or(&mut self, ttl: Ttl, make: impl FnOnce() -> R) -> &mut R {
        self.cell.ttl = Some(ttl);
        let record = self.cell.record.get_or_insert_with(|| Box::new(make()));
        // A call checks that a cell holds a record of its type before it makes a slot of it.
        record.downcast_mut().expect("a record of this type")
    }

    /// Wakes those who [wait](crate::wait) for the record, once the step is done. The Lua form calls
    /// `wake()`.
    pub fn wake(&mut self) {
        *self.wakes = true;
    }

    /// Removes the record. It is dropped after the step.
    pub fn remove(&mut self) {
        self.discarded.extend(self.cell.record.take());
        self.cell.ttl = None;
    }
}
