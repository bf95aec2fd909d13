use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;

use crate::session_record::{Change, Fields};
use crate::{Result, SessionError, SessionErrorKind, value};

/// The changes of one request that are not written yet, at most one per field.
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

    /// Replaces the change of a field by `change`, or removes it.
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

    /// Removes a field whose value the handler took. A value that others set in the meantime stays.
    ///
    /// A field that this request also adds to is a counter: the taken amount is subtracted, so increments
    /// of others are neither lost nor taken twice.
    pub(super) fn take(&mut self, name: &str, stored: Option<Bytes>) {
        let change = match (self.0.remove(name), stored) {
            (None, None) => return,
            (None, Some(stored)) => Change::Discard(stored),
            // This request took what it had added itself: for other requests nothing has happened.
            (Some(Change::Add(_)), None) => return,
            (Some(Change::Add(_)), Some(stored)) => Change::Tally {
                seen: stored,
                left: None,
            },
            (Some(Change::Tally { seen, .. }), _) => Change::Tally { seen, left: None },
            (Some(Change::Discard(seen)), _) => Change::Discard(seen),
            // The taken value would have replaced any value that others set.
            (Some(Change::Set(_) | Change::Remove | Change::Swap(..) | Change::Extract(_)), _) => {
                Change::Remove
            }
        };
        self.0.insert(name.into(), change);
    }

    /// # Errors
    /// [`SessionErrorKind::NotAnInteger`].
    pub(super) fn add(&mut self, name: &str, by: i64) -> Result<()> {
        let sum = |before: i64| {
            let sum = before.checked_add(by);
            sum.filter(|sum| value::int_to_store(*sum).is_some())
        };
        let after = match self.0.get(name) {
            None => Some(Change::Add(by)),
            Some(Change::Add(before)) => sum(*before).map(Change::Add),
            Some(Change::Discard(seen)) => Some(Change::Tally {
                seen: seen.clone(),
                left: Some(by),
            }),
            Some(Change::Tally { seen, left }) => {
                sum(left.unwrap_or(0)).map(|left| Change::Tally {
                    seen: seen.clone(),
                    left: Some(left),
                })
            }
            Some(Change::Remove | Change::Extract(_)) => value::int_to_store(by).map(Change::Set),
            Some(Change::Set(value) | Change::Swap(_, value)) => {
                let sum = Change::Add(by).of(Some(value)).ok().flatten();
                sum.map(Change::Set)
            }
        };
        let after = after.ok_or_else(not_an_integer)?;
        self.0.insert(name.into(), after);
        Ok(())
    }

    /// Returns a field with its change applied to the stored value.
    pub(super) fn on_top_of<'a>(
        &self,
        name: &str,
        stored: Option<&'a [u8]>,
    ) -> Option<Cow<'a, [u8]>> {
        let Some(change) = self.0.get(name) else {
            return stored.map(Cow::Borrowed);
        };
        let stored = stored.map(Bytes::copy_from_slice);
        let after = change.of(stored.as_ref()).unwrap_or(stored);
        after.map(|value| Cow::Owned(value.into()))
    }

    /// Returns the changes, for a step of the store.
    pub(super) fn changes(&self) -> Vec<(Box<str>, Change)> {
        let changes = self.0.iter();
        changes
            .map(|(name, change)| (name.clone(), change.clone()))
            .collect()
    }

    /// Returns the fields of a session that is created with these changes.
    pub(super) fn fields(&self) -> Fields {
        let made = self.0.iter().filter_map(|(name, change)| {
            let value = change.of(None).ok().flatten()?;
            Some((name.clone(), value))
        });
        made.collect()
    }
}

pub(super) fn not_an_integer() -> SessionError {
    SessionError::new(
        SessionErrorKind::NotAnInteger,
        "only an integer can be incremented, and the sum must be within ±2^53",
    )
}

#[cfg(test)]
mod tests;
