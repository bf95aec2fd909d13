use std::collections::BTreeSet;

use larder_store::{Key, KeyId, Result};

use super::programs::Contains;
use super::{MAX_PAGE, MemberSet, page};

/// Combines several sets, which are read one after the other.
impl MemberSet {
    /// Returns the first `limit` members, in order, that are in any of the sets.
    ///
    /// `limit` is at most [`MAX_PAGE`]. It takes a round trip for each set.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) if the limit is too high. Like
    /// [`page`](Self::page), it fails on a member that is not UTF-8.
    pub async fn union<I: KeyId>(
        &self,
        ids: impl IntoIterator<Item = I>,
        limit: u32,
    ) -> Result<Vec<String>> {
        let (keys, limit) = (self.keys(ids), page("union", limit)?);
        // The first ones of a union are among the first ones of each set.
        let mut union = BTreeSet::new();
        for key in &keys {
            union.extend(self.read(key, "", limit).await?);
        }
        Ok(union.into_iter().take(limit as usize).collect())
    }

    /// Returns the first `limit` members, in order, that are in all of the sets.
    ///
    /// It reads the first set in pages of 1,000 and looks up each page in the others, one round trip for
    /// each: name the smallest set first. `limit` is at most [`MAX_PAGE`].
    ///
    /// # Errors
    /// Those of [`union`](Self::union).
    pub async fn intersection<I: KeyId>(
        &self,
        ids: impl IntoIterator<Item = I>,
        limit: u32,
    ) -> Result<Vec<String>> {
        let limit = page("intersection", limit)?;
        self.filtered(&self.keys(ids), true, limit).await
    }

    /// Returns the first `limit` members, in order, that are in the first set and in no other.
    ///
    /// It takes the round trips of [`intersection`](Self::intersection). `limit` is at most [`MAX_PAGE`].
    ///
    /// # Errors
    /// Those of [`union`](Self::union).
    pub async fn difference<I: KeyId>(
        &self,
        ids: impl IntoIterator<Item = I>,
        limit: u32,
    ) -> Result<Vec<String>> {
        let limit = page("difference", limit)?;
        self.filtered(&self.keys(ids), false, limit).await
    }

    /// Returns the members of the first set that are in each of the others, or in none.
    async fn filtered(&self, keys: &[Key], are_in: bool, limit: u32) -> Result<Vec<String>> {
        let Some((first, others)) = keys.split_first() else {
            return Ok(Vec::new());
        };
        let (mut found, mut after) = (Vec::new(), String::new());
        while found.len() < limit as usize {
            let mut members = self.read(first, &after, MAX_PAGE).await?;
            let is_last = members.len() < MAX_PAGE as usize;
            if let Some(last) = members.last() {
                after.clone_from(last);
            }
            for key in others {
                if members.is_empty() {
                    break;
                }
                let asked = members
                    .iter()
                    .map(|member| member.as_str().into())
                    .collect();
                let asked = Contains { members: asked };
                let answers = self.records.programs().run(key, &asked).await?;
                let kept = members.into_iter().zip(answers);
                let kept = kept.filter(|(_, is_in)| *is_in == are_in);
                members = kept.map(|(member, _)| member).collect();
            }
            found.append(&mut members);
            if is_last {
                break;
            }
        }
        found.truncate(limit as usize);
        Ok(found)
    }
}
