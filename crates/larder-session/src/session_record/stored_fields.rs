use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::weight;

/// The data of a session in one piece, as `layout.lua` writes it.
///
/// A lookup walks along the fields. A map would cost every request some allocations on Redis, and some
/// cache misses in process; only writes make one.
#[derive(Clone, Default)]
pub(crate) struct StoredFields(Arc<[u8]>);

impl StoredFields {
    /// Parses the fields at the end of a session, and weighs them. None for other bytes.
    pub(super) fn parse(bytes: &[u8]) -> Option<(Self, i64)> {
        let (mut rest, mut weighs, mut count) = (bytes, 0, 0);
        while !rest.is_empty() {
            let (name, value, behind) = split(rest)?;
            weighs += weight(std::str::from_utf8(name).ok()?, value);
            (rest, count) = (behind, count + 1);
        }
        let fields = Self(bytes.into());
        (count < 2 || fields.have_names_of_their_own()).then_some((fields, weighs))
    }

    /// Returns whether all names differ: otherwise readers would not agree on which field counts.
    fn have_names_of_their_own(&self) -> bool {
        let mut names: Vec<_> = self.raw().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.is_sorted_by(|one, next| one < next)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        let mut fields = self.raw();
        let found = fields.find(|(other, _)| *other == name.as_bytes());
        found.map(|(_, value)| value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        // They were text when they were parsed or written.
        let text = |(name, value)| Some((std::str::from_utf8(name).ok()?, value));
        self.raw().filter_map(text)
    }

    /// Returns the fields with some of them set, or removed where there is no value.
    pub(crate) fn with<'a>(
        &self,
        changes: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
    ) -> Self {
        let mut fields: BTreeMap<&str, &[u8]> = self.iter().collect();
        for (name, value) in changes {
            match value {
                Some(value) => fields.insert(name, value),
                None => fields.remove(name),
            };
        }
        Self::of(&fields)
    }

    pub(crate) fn of<N: Borrow<str>, V: AsRef<[u8]>>(fields: &BTreeMap<N, V>) -> Self {
        let mut bytes = Vec::new();
        for (name, value) in fields {
            let (name, value) = (name.borrow(), value.as_ref());
            // A name has at most 64 bytes, and a value at most the maximum weight of a session.
            bytes.push(name.len() as u8);
            bytes.extend_from_slice(&(value.len() as u32).to_be_bytes());
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(value);
        }
        Self(bytes.into())
    }

    fn raw(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let (name, value, behind) = split(rest)?;
            rest = behind;
            Some((name, value))
        })
    }
}

/// Splits the first field off: its name, its value, and the fields behind it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name, rest) = bytes.split_first()?;
    let (value, rest) = rest.split_first_chunk()?;
    let value = usize::try_from(u32::from_be_bytes(*value)).ok()?;
    let (name, rest) = rest.split_at_checked((*name).into())?;
    let (value, rest) = rest.split_at_checked(value)?;
    Some((name, value, rest))
}

/// The two forms of a program keep them in different orders.
impl PartialEq for StoredFields {
    fn eq(&self, other: &Self) -> bool {
        self.iter().collect::<BTreeMap<_, _>>() == other.iter().collect()
    }
}

impl Eq for StoredFields {}

#[cfg(test)]
impl std::fmt::Debug for StoredFields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
