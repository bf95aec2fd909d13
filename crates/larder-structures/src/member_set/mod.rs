//! Sets of members: followers, things already seen, users who are online.

mod algebra;
mod programs;
#[cfg(test)]
mod traces;

use std::sync::Arc;

use larder_store::program::Inspection;
use larder_store::{Error, ErrorKind, Key, KeyId, Refusal, Result, Store, Ttl};

use crate::member;
use crate::records::{Records, debug_name};

use programs::{Add, Contains, Len, Pick, Read, Remove};
pub use programs::{InspectSet, SetRecord};

/// Keeps a set of members for each id.
///
/// A member is 1 to 256 bytes of text, and members are in the order of their bytes, so a large set is read
/// in pages. A set holds at most 100,000 members, unless [`with_max_members`](Self::with_max_members) is
/// set; an addition past that is refused. Each addition restarts the TTL. Clones are cheap and share
/// everything.
///
/// [`union`](Self::union), [`intersection`](Self::intersection) and [`difference`](Self::difference) work
/// over several sets wherever they are, even in several slots of a cluster, and return as many members as
/// requested. They read the sets one after the other, so the result is not a snapshot.
///
/// ```
/// # use std::sync::Arc;
/// use larder_store::{Result, Store, Ttl};
/// use larder_structures::member_set::MemberSet;
///
/// async fn mutual(store: Arc<dyn Store>, one: u32, other: u32) -> Result<Vec<String>> {
///     let follows = MemberSet::new(store, "follows", Ttl::from_secs(365 * 86_400))?;
///     follows.add(one, &["grace", "kay"]).await?;
///     follows.intersection([one, other], 20).await
/// }
/// ```
#[derive(Clone)]
pub struct MemberSet {
    records: Records<SetRecord>,
    ttl: Ttl,
    max_members: u32,
    draw: Draw,
}

debug_name!(MemberSet, records.name);

type Draw = Arc<dyn Fn() -> u32 + Send + Sync>;

/// The maximum number of members of one call or page: 1,000.
pub const MAX_PAGE: u32 = 1_000;

impl MemberSet {
    /// Makes the sets called `name`, each of which lives for `ttl` after its last addition.
    ///
    /// The name is in each key. It is 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name is invalid or the store runs no programs.
    pub fn new(store: Arc<dyn Store>, name: &str, ttl: Ttl) -> Result<Self> {
        Ok(Self {
            records: Records::new(store, name, "a member set")?,
            ttl,
            max_members: 100_000,
            draw: Arc::new(rand::random),
        })
    }

    /// Sets the maximum number of members, at least 1; 0 counts as 1. The default is 100,000.
    #[must_use]
    pub fn with_max_members(mut self, members: u32) -> Self {
        self.max_members = members.max(1);
        self
    }

    /// Takes random numbers from `draw`, which must return each of the 2^32 values equally often. For tests.
    #[must_use]
    pub fn with_random(mut self, draw: impl Fn() -> u32 + Send + Sync + 'static) -> Self {
        self.draw = Arc::new(draw);
        self
    }

    /// Adds members, at most 1,000, and returns how many are new. One round trip.
    ///
    /// # Errors
    /// Those of the store; [`ErrorKind::Invalid`] for too many members or one that is out of its bounds;
    /// [`Refusal::Full`] if there is no room for all of them: then none is added. After
    /// [`ErrorKind::MayHaveRun`] they may have been added; repeating the call is safe.
    ///
    /// # Cancellation
    /// All of them are added, or none.
    pub async fn add(
        &self,
        id: impl KeyId,
        members: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<u64> {
        let add = Add {
            ttl: self.ttl,
            max_members: self.max_members,
            members: member::all("add", members)?,
        };
        let added = self.records.run(id, &add).await?;
        added.ok_or_else(|| {
            let text = "the set has no room for these members: see with_max_members";
            Error::new("add", ErrorKind::Refused(Refusal::Full), text)
        })
    }

    /// Removes members, at most 1,000, and returns how many were in the set. The TTL stays. One round trip.
    ///
    /// # Errors
    /// Those of [`add`](Self::add). Repeating the call is safe.
    ///
    /// # Cancellation
    /// All of them are removed, or none.
    pub async fn remove(
        &self,
        id: impl KeyId,
        members: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<u64> {
        let members = member::all("remove", members)?;
        if members.is_empty() {
            return Ok(0);
        }
        self.records.run(id, &Remove { members }).await
    }

    /// Returns whether `member` is in the set. One round trip.
    ///
    /// # Errors
    /// Those of [`add`](Self::add).
    pub async fn contains(&self, id: impl KeyId, member: &str) -> Result<bool> {
        Ok(self.contains_many(id, &[member]).await? == [true])
    }

    /// Returns for each of some members, at most 1,000, whether it is in the set. One round trip.
    ///
    /// # Errors
    /// Those of [`add`](Self::add).
    pub async fn contains_many(
        &self,
        id: impl KeyId,
        members: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Vec<bool>> {
        let members = member::all("contains", members)?;
        if members.is_empty() {
            return Ok(Vec::new());
        }
        self.records.run(id, &Contains { members }).await
    }

    /// Returns `many` members after `after`, or the first ones, in order, at most [`MAX_PAGE`].
    ///
    /// Pass the last member of a page to get the next, even if it was removed meanwhile.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] for too many, or if `after` is longer than a member. It also
    /// fails on a member that another program added and that is not UTF-8; [`random`](Self::random) and
    /// [`pop`](Self::pop) leave it out.
    pub async fn page(
        &self,
        id: impl KeyId,
        after: Option<&str>,
        many: u32,
    ) -> Result<Vec<String>> {
        let many = page("page", many)?;
        let after = after.filter(|after| !after.is_empty());
        let after = after.map(|after| member::one("page", after)).transpose()?;
        self.read(&self.records.key(id), &after.unwrap_or_default(), many)
            .await
    }

    /// Returns up to `many` random members, at most [`MAX_PAGE`]; the same one may occur several times.
    ///
    /// # Errors
    /// Those of [`page`](Self::page).
    pub async fn random(&self, id: impl KeyId, many: u32) -> Result<Vec<String>> {
        self.pick(id, false, page("random", many)?).await
    }

    /// Removes up to `many` random members, at most [`MAX_PAGE`], and returns them. The TTL stays.
    ///
    /// # Errors
    /// Those of [`page`](Self::page). After [`ErrorKind::MayHaveRun`] members may be gone whose names were
    /// lost with the reply.
    ///
    /// # Cancellation
    /// They may or may not have been removed.
    pub async fn pop(&self, id: impl KeyId, many: u32) -> Result<Vec<String>> {
        self.pick(id, true, page("pop", many)?).await
    }

    /// Returns the number of members. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn len(&self, id: impl KeyId) -> Result<u64> {
        self.records.run(id, &Len).await
    }

    /// Returns the number of members, for people and tools. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn inspect(&self, id: impl KeyId) -> Result<Inspection> {
        self.records.inspect(id).await
    }

    fn keys<I: KeyId>(&self, ids: impl IntoIterator<Item = I>) -> Vec<Key> {
        ids.into_iter().map(|id| self.records.key(id)).collect()
    }

    async fn read(&self, key: &Key, after: &str, many: u32) -> Result<Vec<String>> {
        let after = after.into();
        self.records
            .programs()
            .run(key, &Read { after, many })
            .await
    }

    async fn pick(&self, id: impl KeyId, pops: bool, many: u32) -> Result<Vec<String>> {
        let draws = (0..many).map(|_| (self.draw)()).collect();
        self.records.run(id, &Pick { pops, draws }).await
    }
}

fn page(operation: &'static str, many: u32) -> Result<u32> {
    if many <= MAX_PAGE {
        return Ok(many);
    }
    Err(Error::new(
        operation,
        ErrorKind::Invalid,
        "at most 1,000 members are returned at once: ask for the rest in further pages",
    ))
}
