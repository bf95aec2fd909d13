use std::collections::HashMap;

use larder_store::{Timestamp, Version};
use parking_lot::Mutex;

use super::SKEW;

/// How many tags are known to have been purged a moment ago.
const MAX_KNOWN: usize = 1024;

/// The purges by tag of the last seconds that this process knows of.
///
/// A purge that was known before a fetch began does not concern that fetch, whatever the clocks of
/// two processes say.
pub(crate) struct RecentPurges(Mutex<Known>);

#[derive(Default)]
struct Known {
    count: u64,
    tags: HashMap<Box<str>, Purge>,
}

struct Purge {
    version: Version,
    /// How many were known when this one became known.
    number: u64,
    at: Timestamp,
}

/// How many purges were known at some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl RecentPurges {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    pub(super) fn moment(&self) -> Moment {
        Moment(self.0.lock().count)
    }

    /// Remembers that the mark of `tag` has this version.
    pub(super) fn note(&self, tag: &str, version: Version, now: Timestamp) {
        let mut known = self.0.lock();
        if known.tags.get(tag).is_some_and(|it| it.version == version) {
            return;
        }
        if known.tags.len() >= MAX_KNOWN {
            known.tags.retain(|_, it| now.since(it.at) <= 2 * SKEW);
        }
        if known.tags.len() >= MAX_KNOWN && !known.tags.contains_key(tag) {
            // It is as if it were not known: responses of the next seconds are not stored.
            return;
        }
        known.count += 1;
        let number = known.count;
        let purge = Purge {
            version,
            number,
            at: now,
        };
        known.tags.insert(tag.into(), purge);
    }

    /// Whether the mark of `tag` with this version was known at `moment`.
    pub(super) fn was_known(&self, tag: &str, version: Version, moment: Moment) -> bool {
        let known = self.0.lock();
        let purge = known.tags.get(tag);
        purge.is_some_and(|it| it.version == version && it.number <= moment.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_purge_is_known_from_when_it_was_noted_first() {
        let (recent, version) = (RecentPurges::new(), Version::random());
        let before = recent.moment();
        recent.note("a", version, at(0));
        let after = recent.moment();
        recent.note("a", version, at(1));
        assert!(!recent.was_known("a", version, before));
        assert!(recent.was_known("a", version, after));
        assert!(!recent.was_known("b", version, after));
        recent.note("a", Version::random(), at(1));
        assert!(!recent.was_known("a", version, recent.moment()));
    }

    #[test]
    fn no_number_of_tags_makes_it_grow_without_end() {
        let recent = RecentPurges::new();
        for tag in 0..2 * MAX_KNOWN {
            recent.note(&tag.to_string(), Version::random(), at(0));
        }
        assert_eq!(recent.0.lock().tags.len(), MAX_KNOWN);
        let version = Version::random();
        recent.note("later", version, at(60));
        assert!(recent.was_known("later", version, recent.moment()));
    }
}
