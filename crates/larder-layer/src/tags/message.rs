use larder_store::bus::{Channel, Topic};

use super::{Tag, TagChange};

/// The message that tells other processes which tags have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagMessage {
    /// The number of the client that changed them: see [`Tags::sender`](super::Tags::sender).
    pub sender: u64,
    /// The effect of the change on the values.
    pub change: TagChange,
    /// The tags.
    pub tags: Vec<Tag>,
}

const CHANGED: Topic = Topic::broadcast("tag-changed");

impl TagMessage {
    /// The maximum number of tags of one message.
    pub const MAX: usize = 8_000;

    /// Returns the channel of all tags.
    pub fn channel() -> Channel {
        Channel::new(CHANGED, "all")
    }

    /// Returns the bytes to publish.
    pub fn to_bytes(&self) -> Vec<u8> {
        let change = match self.change {
            TagChange::Remove => 0,
            TagChange::Expire => 1,
        };
        let mut bytes = vec![change];
        bytes.extend_from_slice(&self.sender.to_le_bytes());
        for tag in &self.tags {
            bytes.extend_from_slice(&tag.hash().to_le_bytes());
        }
        bytes
    }

    /// Reads a message. None if it is not one.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (change, tags) = bytes.split_first()?;
        let change = match change {
            0 => TagChange::Remove,
            1 => TagChange::Expire,
            _ => return None,
        };
        let (sender, tags) = tags.split_first_chunk()?;
        let tags = tags.chunks(8).map(|hash| {
            let hash = hash.try_into().ok()?;
            Some(Tag::from_hash(u64::from_le_bytes(hash)))
        });
        Some(Self {
            sender: u64::from_le_bytes(*sender),
            change,
            tags: tags.collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_as_it_was_published() {
        let tags = vec![Tag::new("films"), Tag::new("film 7")];
        for change in [TagChange::Remove, TagChange::Expire] {
            let message = TagMessage {
                sender: 7,
                change,
                tags: tags.clone(),
            };
            assert_eq!(TagMessage::from_bytes(&message.to_bytes()), Some(message));
        }
        for noise in [&b""[..], b"\x02", b"\x00short", b"\x00sender..short"] {
            assert_eq!(TagMessage::from_bytes(noise), None);
        }
        let most = TagMessage {
            sender: 7,
            change: TagChange::Remove,
            tags: vec![Tag::new("films"); TagMessage::MAX],
        };
        assert!(most.to_bytes().len() <= larder_store::bus::MAX_MESSAGE);
    }
}
