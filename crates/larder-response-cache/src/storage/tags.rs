use std::sync::Arc;

use larder_layer::tags::{Generation, Tag, TagState, Validity};
use larder_store::{Condition, Entry, Key, Put, Result, Timestamp, Ttl, count_poisoned};

use super::{CommitOutcome, NotStored, PurgeSnapshot, Storage, StoredResponse};
use crate::engine::Refusal;
use crate::request::{TAG, consistent_tag_key, tag_key};

/// How long the store remembers a tag: longer than any response is stored.
pub(super) const TAG_TTL: Ttl = Ttl::from_secs(40 * 24 * 60 * 60);

/// Returns the state of a tag with a new generation, which was never expired.
pub(super) fn first_state() -> TagState {
    TagState {
        generation: Generation::random(),
        changed: Timestamp::default(),
    }
}

/// Returns the state of a tag as the store holds it.
pub(super) fn state_to_bytes(state: &TagState) -> Vec<u8> {
    let mut bytes = state.generation.as_bytes().to_vec();
    bytes.extend_from_slice(&state.changed.as_micros().to_le_bytes());
    bytes
}

/// Reads the state of a tag. None for other bytes.
pub(super) fn state_from_bytes(bytes: &[u8]) -> Option<TagState> {
    let (generation, changed) = bytes.split_first_chunk()?;
    Some(TagState {
        generation: Generation::from_bytes(*generation),
        changed: Timestamp::from_micros(i64::from_le_bytes(changed.try_into().ok()?)),
    })
}

fn read(held: &Option<Entry>) -> Option<TagState> {
    state_from_bytes(&held.as_ref()?.value)
}

/// Makes the first state of a tag, if there is no readable one.
fn first_put((key, held): (&Key, &Option<Entry>)) -> Option<Put> {
    let condition = match held {
        None => Condition::IfAbsent,
        Some(_) if read(held).is_some() => return None,
        Some(unreadable) => {
            count_poisoned(TAG);
            Condition::IfVersion(unreadable.version)
        }
    };
    let first = state_to_bytes(&first_state());
    Some(Put::new(key.clone(), first, TAG_TTL).on(condition))
}

/// What the tags of a stored response say about it.
pub(super) enum TagCheck {
    /// It may be served. It is stale if it or one of its tags was expired.
    Valid(Arc<StoredResponse>),
    /// One of its tags was purged.
    Purged,
    /// The store does not know one of its tags, which was evicted, or is on a lost server. It is not served.
    Unknown,
}

impl Storage {
    /// Records the tags of a response, with the generation of each.
    ///
    /// The response is superseded if one of them changed since the fetch began. One that updates a stored response
    /// comes with the tags of that, and is also superseded if one of those was purged since that was stored.
    pub(super) async fn tag(
        &self,
        response: &mut StoredResponse,
        since: PurgeSnapshot,
    ) -> CommitOutcome {
        let tags = self.policy().tags(&response.headers);
        let tags = tags.ok_or(NotStored::Refused(Refusal::Tags))?;
        // Until the store answers, each has a generation that the store does not know.
        let unknown = tags.iter().map(|tag| (*tag, Generation::random()));
        let before = std::mem::replace(&mut response.tags, unknown.collect());
        let mut all = tags.clone();
        all.extend(
            before
                .iter()
                .map(|(tag, _)| *tag)
                .filter(|tag| !tags.contains(tag)),
        );
        if all.is_empty() {
            return Ok(());
        }
        if since.tags.is_none() {
            return Err(NotStored::NoRoom);
        }
        let keys: Vec<_> = all.iter().copied().map(consistent_tag_key).collect();
        let mut held = self.far.get_values(&keys).await?;
        let new = keys.iter().zip(&held).take(tags.len());
        let firsts: Vec<_> = new.filter_map(first_put).collect();
        if !firsts.is_empty() {
            self.far.put_values(&firsts).await?;
            // Another process may have been first.
            held = self.far.get_values(&keys).await?;
        }
        let generation = |tag: Tag| {
            let at = all.iter().position(|held| *held == tag)?;
            Some(read(&held[at])?.generation)
        };
        let is_purged = |(tag, before): &(Tag, Generation)| {
            generation(*tag).is_none_or(|now| before.compared_with(now) == Validity::Removed)
        };
        if before.iter().any(is_purged) {
            return Err(NotStored::Superseded);
        }
        let carried: Option<Vec<_>> = tags
            .iter()
            .map(|tag| Some((*tag, generation(*tag)?)))
            .collect();
        response.tags = carried.ok_or(NotStored::Superseded)?;
        // After the generations were read: see the module.
        self.check_tags_unchanged(&all, since).await
    }

    /// Checks whether a tag of a stored response was purged or expired.
    ///
    /// It takes one round trip, or none without tags.
    pub(super) async fn check_tags(&self, response: Arc<StoredResponse>) -> Result<TagCheck> {
        if self.purges.concern_tags(&response) {
            return Ok(TagCheck::Purged);
        }
        let keys: Vec<_> = response.tags.iter().map(|(tag, _)| tag_key(*tag)).collect();
        let held = match keys.is_empty() {
            true => Vec::new(),
            false => self.far.get_values(&keys).await?,
        };
        let (mut expired, mut is_unknown) = (response.expired, false);
        for ((_, generation), held) in response.tags.iter().zip(held) {
            let Some(now) = read(&held) else {
                is_unknown = true;
                continue;
            };
            match generation.compared_with(now.generation) {
                Validity::Current => {}
                Validity::Expired => {
                    expired = Some(expired.map_or(now.changed, |at| at.min(now.changed)));
                }
                Validity::Removed => return Ok(TagCheck::Purged),
            }
        }
        if is_unknown {
            return Ok(TagCheck::Unknown);
        }
        // The clock of the process that expired it may be ahead of this one.
        let expired = expired.map(|at| at.min(self.now()));
        Ok(TagCheck::Valid(match expired {
            Some(at) if response.expired != expired => {
                Arc::new(response.copy(self.policy()).expired_at(at))
            }
            _ => response,
        }))
    }
}
