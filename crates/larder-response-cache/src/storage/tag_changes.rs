use larder_layer::tags::Tag;
use larder_store::Version;

/// The number of changes that are kept. If more come during one fetch, its response is not stored.
const KEPT: usize = 32;

/// The last changes of tags, as the store holds them. A change is a purge or an expiry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TagChanges {
    count: ChangeCount,
    /// The tags that were changed last, oldest first.
    last: Vec<Tag>,
}

/// The number of changes of tags at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChangeCount {
    /// Identifies the count. It is drawn at random whenever a count begins.
    id: Version,
    number: u64,
}

impl TagChanges {
    /// Begins a new count, which has no earlier changes.
    pub(super) fn none() -> Self {
        let id = Version::random();
        Self {
            count: ChangeCount { id, number: 0 },
            last: Vec::new(),
        }
    }

    pub(super) fn count(&self) -> ChangeCount {
        self.count
    }

    /// Adds a change of `tag`.
    pub(super) fn with(mut self, tag: Tag) -> Self {
        self.count.number = self.count.number.saturating_add(1);
        self.last.push(tag);
        // Another release may keep more.
        let surplus = self.last.len().saturating_sub(KEPT);
        self.last.drain(..surplus);
        self
    }

    /// Returns whether one of the tags changed after `since`. Unknown counts as a change.
    pub(super) fn concern(&self, since: ChangeCount, mut tags: impl Iterator<Item = Tag>) -> bool {
        if self.count.id != since.id {
            return true;
        }
        let new = self.count.number.checked_sub(since.number);
        let new = new.and_then(|new| usize::try_from(new).ok());
        let from = new.and_then(|new| self.last.len().checked_sub(new));
        let Some(from) = from else {
            return true;
        };
        let new = &self.last[from..];
        tags.any(|tag| new.contains(&tag))
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk()?;
        let (number, last) = rest.split_first_chunk()?;
        let last = last.chunks(8).map(|hash| hash.try_into().ok());
        let last = last.map(|hash| hash.map(|hash| Tag::from_hash(u64::from_le_bytes(hash))));
        Some(Self {
            count: ChangeCount {
                id: Version::from_bytes(*id),
                number: u64::from_le_bytes(*number),
            },
            last: last.collect::<Option<_>>()?,
        })
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.count.id.as_bytes().to_vec();
        bytes.extend_from_slice(&self.count.number.to_le_bytes());
        bytes.extend(self.last.iter().flat_map(|tag| tag.hash().to_le_bytes()));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_later_changes_concern_a_count() {
        let changes = TagChanges::none().with(Tag::new("a"));
        let since = changes.count();
        let later = changes.clone().with(Tag::new("b"));
        let concern =
            |changes: &TagChanges, tag| changes.concern(since, [Tag::new(tag)].into_iter());
        assert!(!concern(&changes, "a") && !concern(&later, "a") && concern(&later, "b"));
        assert!(!later.concern(since, std::iter::empty()));
    }

    #[test]
    fn what_is_not_known_counts_as_a_change() {
        let changes = TagChanges::none();
        let since = changes.count();
        let many = (0..=KEPT).fold(changes.clone(), |changes, _| changes.with(Tag::new("b")));
        assert!(many.concern(since, [Tag::new("a")].into_iter()));
        assert!(many.last.len() == KEPT);
        let mut longer = many.clone();
        longer.last.extend_from_slice(&many.last);
        let longer = TagChanges::read(&longer.bytes()).unwrap();
        assert_eq!(longer.with(Tag::new("b")).last.len(), KEPT);
        assert!(TagChanges::none().concern(since, [Tag::new("a")].into_iter()));
        // A count never goes back, so the answer is unknown.
        assert!(changes.concern(many.count(), [Tag::new("a")].into_iter()));
    }

    #[test]
    fn changes_come_back_as_they_were_written() {
        let changes = TagChanges::none().with(Tag::new("a")).with(Tag::new("b"));
        assert_eq!(TagChanges::read(&changes.bytes()), Some(changes));
        assert_eq!(TagChanges::read(b"short"), None);
        assert_eq!(TagChanges::read(&[0; 27]), None);
    }
}
