use larder_store::Version;
use xxhash_rust::xxh3::xxh3_64;

/// How many changes of tags are kept: where more come during one fetch, its response is not stored.
const KEPT: usize = 32;

/// The last changes of tags, as the store holds them: each is a purge, or makes a tag stale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TagChanges {
    turn: ChangeCount,
    /// Hashes of the tags that were changed last, oldest first.
    last: Vec<u64>,
}

/// How many changes of tags there were at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChangeCount {
    /// Which count this is, drawn at random whenever one begins anew.
    count: Version,
    number: u64,
}

impl TagChanges {
    /// A new count, which says nothing of what was before.
    pub(super) fn none() -> Self {
        let count = Version::random();
        Self {
            turn: ChangeCount { count, number: 0 },
            last: Vec::new(),
        }
    }

    pub(super) fn turn(&self) -> ChangeCount {
        self.turn
    }

    /// Adds a change of `tag`.
    pub(super) fn and(mut self, tag: &str) -> Self {
        self.turn.number = self.turn.number.saturating_add(1);
        if self.last.len() == KEPT {
            self.last.remove(0);
        }
        self.last.push(xxh3_64(tag.as_bytes()));
        self
    }

    /// Whether one of the tags was changed after `turn`, as far as is known.
    pub(super) fn concern<'a>(
        &self,
        turn: ChangeCount,
        tags: impl Iterator<Item = &'a str>,
    ) -> bool {
        if self.turn.count != turn.count {
            return true;
        }
        let new = self.turn.number.checked_sub(turn.number);
        let new = new.and_then(|new| usize::try_from(new).ok());
        let from = new.and_then(|new| self.last.len().checked_sub(new));
        let Some(from) = from else {
            return true;
        };
        let new = &self.last[from..];
        tags.map(|tag| xxh3_64(tag.as_bytes()))
            .any(|tag| new.contains(&tag))
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (count, rest) = bytes.split_first_chunk()?;
        let (number, last) = rest.split_first_chunk()?;
        let last = last.chunks(8).map(|hash| hash.try_into().ok());
        let last = last.map(|hash| hash.map(u64::from_le_bytes));
        Some(Self {
            turn: ChangeCount {
                count: Version::from_bytes(*count),
                number: u64::from_le_bytes(*number),
            },
            last: last.collect::<Option<_>>()?,
        })
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.turn.count.as_bytes().to_vec();
        bytes.extend_from_slice(&self.turn.number.to_le_bytes());
        bytes.extend(self.last.iter().flat_map(|hash| hash.to_le_bytes()));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_after_a_turn_concern_it() {
        let changes = TagChanges::none().and("a");
        let turn = changes.turn();
        let later = changes.clone().and("b");
        let concern = |changes: &TagChanges, tag| changes.concern(turn, [tag].into_iter());
        assert!(!concern(&changes, "a") && !concern(&later, "a") && concern(&later, "b"));
        assert!(!later.concern(turn, std::iter::empty()));
    }

    #[test]
    fn what_is_not_known_is_a_change() {
        let changes = TagChanges::none();
        let turn = changes.turn();
        let many = (0..=KEPT).fold(changes.clone(), |changes, _| changes.and("b"));
        assert!(many.concern(turn, ["a"].into_iter()));
        assert!(many.last.len() == KEPT);
        assert!(TagChanges::none().concern(turn, ["a"].into_iter()));
        // An earlier state of the same count cannot follow, so nothing is known.
        assert!(changes.concern(many.turn(), ["a"].into_iter()));
    }

    #[test]
    fn changes_come_back_as_they_were_written() {
        let changes = TagChanges::none().and("a").and("b");
        assert_eq!(TagChanges::read(&changes.bytes()), Some(changes));
        assert_eq!(TagChanges::read(b"short"), None);
        assert_eq!(TagChanges::read(&[0; 27]), None);
    }
}
