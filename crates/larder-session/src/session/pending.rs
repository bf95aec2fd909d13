use std::collections::BTreeMap;

use bytes::Bytes;

use crate::record::{Change, Fields};
use crate::{Error, ErrorKind, Result, value};

/// The changes of one request that are yet to be written, at most one for each field.
#[derive(Default)]
pub(super) struct Pending(BTreeMap<Box<str>, Change>);

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|name| &**name)
    }

    pub(super) fn get(&self, name: &str) -> Option<Change> {
        self.0.get(name).cloned()
    }

    /// Takes back the change of a field, and puts `change` in its place.
    pub(super) fn put_back(&mut self, name: &str, change: Option<Change>) {
        match change {
            Some(change) => self.0.insert(name.into(), change),
            None => self.0.remove(name),
        };
    }

    pub(super) fn set(&mut self, name: &str, value: Bytes) {
        self.0.insert(name.into(), Change::Set(value));
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.insert(name.into(), Change::Remove);
    }

    /// Removes a field whose value was handed out: what somebody else puts there meanwhile stays.
    pub(super) fn take(&mut self, name: &str, stored: Option<&Bytes>) {
        let change = match (self.0.get(name), stored) {
            // Ours alone, or on top of something that it replaces anyway.
            (Some(_), _) | (None, None) => Change::Remove,
            (None, Some(stored)) => Change::Discard(stored.clone()),
        };
        self.0.insert(name.into(), change);
    }

    /// # Errors
    /// [`ErrorKind::NotAnInteger`].
    pub(super) fn add(&mut self, name: &str, by: i64) -> Result<()> {
        let before = self.0.get(name);
        let after = match before {
            None => Some(Change::Add(by)),
            Some(Change::Add(before)) => before
                .checked_add(by)
                .filter(|sum| value::int_to_store(*sum).is_some())
                .map(Change::Add),
            Some(change) => {
                let value = change.of(None).ok().flatten();
                match Change::Add(by).of(value.as_ref()) {
                    Ok(Some(sum)) => Some(Change::Set(sum)),
                    _ => None,
                }
            }
        };
        let after = after.ok_or_else(not_an_integer)?;
        self.0.insert(name.into(), after);
        Ok(())
    }

    /// A field with the change on top of what is stored.
    pub(super) fn on_top_of(&self, name: &str, stored: Option<&Bytes>) -> Option<Bytes> {
        match self.0.get(name) {
            None => stored.cloned(),
            Some(change) => change.of(stored).unwrap_or_else(|_| stored.cloned()),
        }
    }

    /// The changes for a step of the store.
    pub(super) fn changes(&self) -> Vec<(Box<str>, Change)> {
        let changes = self.0.iter();
        changes
            .map(|(name, change)| (name.clone(), change.clone()))
            .collect()
    }

    /// The fields of a session that is made with these changes.
    pub(super) fn fields(&self) -> Fields {
        let made = self.0.iter().filter_map(|(name, change)| {
            let value = change.of(None).ok().flatten()?;
            Some((name.clone(), value))
        });
        made.collect()
    }
}

pub(super) fn not_an_integer() -> Error {
    Error::new(
        ErrorKind::NotAnInteger,
        "what is added to is an integer, and so is the sum, within 2^53",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: Bytes = Bytes::from_static(b"i5");

    fn seen(pending: &Pending, stored: Option<&Bytes>) -> Option<i64> {
        value::stored_int(&pending.on_top_of("n", stored)?)
    }

    #[test]
    fn sums_add_up_before_they_are_written() {
        let mut pending = Pending::default();
        pending.add("n", 2).unwrap();
        pending.add("n", 3).unwrap();
        assert_eq!(seen(&pending, Some(&FIVE)), Some(10));
        assert!(pending.changes() == [("n".into(), Change::Add(5))]);
    }

    #[test]
    fn a_sum_on_top_of_ones_own_value_is_a_value() {
        let mut pending = Pending::default();
        pending.set("n", FIVE);
        pending.add("n", 1).unwrap();
        assert_eq!(seen(&pending, Some(&Bytes::from_static(b"i100"))), Some(6));
        pending.remove("n");
        pending.add("n", 1).unwrap();
        assert_eq!(seen(&pending, Some(&FIVE)), Some(1));
    }

    #[test]
    fn what_is_taken_goes_only_if_it_is_still_that() {
        let mut pending = Pending::default();
        pending.take("n", Some(&FIVE));
        assert_eq!(pending.on_top_of("n", Some(&FIVE)), None);
        let newer = Bytes::from_static(b"i6");
        assert_eq!(pending.on_top_of("n", Some(&newer)), Some(newer.clone()));
    }

    #[test]
    fn what_is_no_integer_is_not_added_to() {
        let mut pending = Pending::default();
        pending.set("n", Bytes::from_static(b"mtext"));
        let error = pending.add("n", 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotAnInteger);
    }
}
