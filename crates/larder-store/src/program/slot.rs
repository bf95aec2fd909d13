use std::any::{Any, TypeId};

use super::Record;
use crate::Ttl;

/// Holds one record of any type in an in-process store.
///
/// A store passes it to [`Call::step`](super::Call::step), and then looks at the result.
#[derive(Default)]
pub struct Cell {
    record: Held,
    ttl: Option<Ttl>,
}

#[derive(Default)]
enum Held {
    #[default]
    Nothing,
    /// A record of this type, as its [`Numbers`].
    Numbers(TypeId, [i64; 2]),
    Boxed(Box<dyn Any + Send>),
}

/// Converts a record to two integers and back.
///
/// An in-process store then keeps the record in its table, and not in a box elsewhere in memory. Such a
/// record must own nothing that needs to be dropped.
pub struct Numbers<R> {
    /// Writes the record.
    pub write: fn(&R) -> [i64; 2],
    /// Reads what `write` has written.
    pub read: fn([i64; 2]) -> R,
}

impl<R> std::fmt::Debug for Numbers<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Numbers").finish_non_exhaustive()
    }
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
        matches!(self.record, Held::Nothing)
    }

    /// Takes the TTL that the last step set, if it set one.
    #[inline]
    pub fn take_ttl(&mut self) -> Option<Ttl> {
        self.ttl.take()
    }

    /// Returns whether it holds nothing, or a record of type `R`.
    #[inline]
    pub(super) fn fits<R: 'static>(&self) -> bool {
        match &self.record {
            Held::Nothing => true,
            Held::Numbers(id, _) => *id == TypeId::of::<R>(),
            Held::Boxed(record) => record.is::<R>(),
        }
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

/// Records that steps replaced or removed. A step runs under a lock of its store, and dropping a record may
/// run any code, so the caller drops it.
pub(super) type Discarded = Vec<Box<dyn Any + Send>>;

/// The record of a step: absent, or present with a TTL.
pub struct Slot<'a, R: Record> {
    cell: &'a mut Cell,
    /// The record, if it is kept as numbers. It is written back when the step ends, or panics.
    read: Option<R>,
    discarded: &'a mut Discarded,
    wakes: &'a mut bool,
}

impl<R: Record> std::fmt::Debug for Slot<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

impl<'a, R: Record> Slot<'a, R> {
    #[inline]
    pub(super) fn new(
        cell: &'a mut Cell,
        discarded: &'a mut Discarded,
        wakes: &'a mut bool,
    ) -> Self {
        const { assert!(R::NUMBERS.is_none() || !std::mem::needs_drop::<R>()) };
        let read = match (R::NUMBERS, &cell.record) {
            (Some(numbers), Held::Numbers(_, record)) => Some((numbers.read)(*record)),
            _ => None,
        };
        Self {
            cell,
            read,
            discarded,
            wakes,
        }
    }

    /// Returns the record, if there is one.
    #[inline]
    pub fn get(&self) -> Option<&R> {
        match &self.cell.record {
            Held::Boxed(record) => record.downcast_ref(),
            _ => self.read.as_ref(),
        }
    }

    /// Replaces the record and its TTL.
    ///
    /// It allocates only if there was no record, or if records of this type own anything: the old one is
    /// dropped after the step. A record with [`Numbers`] is never allocated.
    #[inline]
    pub fn put(&mut self, record: R, ttl: Ttl) {
        self.cell.ttl = Some(ttl);
        if R::NUMBERS.is_some() {
            self.read = Some(record);
            return;
        }
        let in_place = !std::mem::needs_drop::<R>();
        match self.get_mut().filter(|_| in_place) {
            Some(held) => *held = record,
            None => self.replace(Held::Boxed(Box::new(record))),
        }
    }

    /// Returns mutable access to the record and sets its TTL. None if there is no record.
    #[inline]
    pub fn update(&mut self, ttl: Ttl) -> Option<&mut R> {
        if self.get().is_some() {
            self.cell.ttl = Some(ttl);
        }
        self.get_mut()
    }

    /// Returns mutable access to the record, or None if there is none. Its TTL stays.
    pub fn get_mut(&mut self) -> Option<&mut R> {
        match &mut self.cell.record {
            Held::Boxed(record) => record.downcast_mut(),
            _ => self.read.as_mut(),
        }
    }

    /// Returns mutable access to the record, made by `make` if absent, and sets its TTL.
    pub fn update_or(&mut self, ttl: Ttl, make: impl FnOnce() -> R) -> &mut R {
        if self.get().is_none() {
            self.put(make(), ttl);
        }
        // A call checks that a cell holds a record of its type before it makes a slot of it.
        self.update(ttl).expect("a record of this type")
    }

    /// Wakes the record's [waiters](crate::wait) once the step is done. The Lua form calls `wake()`.
    pub fn wake(&mut self) {
        *self.wakes = true;
    }

    /// Removes the record. It is dropped after the step.
    pub fn remove(&mut self) {
        self.read = None;
        self.replace(Held::Nothing);
        self.cell.ttl = None;
    }

    fn replace(&mut self, record: Held) {
        if let Held::Boxed(before) = std::mem::replace(&mut self.cell.record, record) {
            self.discarded.push(before);
        }
    }
}

impl<R: Record> Drop for Slot<'_, R> {
    #[inline]
    fn drop(&mut self) {
        if let Some(numbers) = R::NUMBERS {
            self.cell.record = match &self.read {
                Some(record) => Held::Numbers(TypeId::of::<R>(), (numbers.write)(record)),
                None => Held::Nothing,
            };
        }
    }
}
