//! A leaderboard: members in the order of their scores.

mod change;
mod options;
mod queries;
mod reads;
mod record;
#[cfg(test)]
mod traces;

use std::sync::Arc;

use larder_store::{Error, ErrorKind, Key, KeyId, Result, Store, Ttl};

use crate::member;
use crate::number::check;
use crate::records::{Records, debug_name};

use change::{Change, Changed, Op, Remove, Trim};
use options::Layout;
pub use options::{Order, Ties, Window, WindowId};
pub use record::{BoardRecord, InspectBoard};

/// Keeps members in the order of their scores, on one board for each id.
///
/// Scores are integers within 2^53, stored exactly. A member is 1 to 256 bytes of text. Ranks begin at 1.
/// [`with_ties`](Self::with_ties) sets how ties are ranked, which does not depend on the store.
///
/// A board holds at most 100,000 members, unless [`with_max_members`](Self::with_max_members) is set: past
/// that the member in last place is removed. Each change restarts its TTL.
///
/// Each method is one step and takes one round trip, or none in process. Two differ: [`trim`](Self::trim) takes as many
/// steps as it needs, and [`add_to`](Self::add_to) one step on each board. In process a position is found in O(log n).
/// Clones are cheap and share everything.
///
/// ```
/// # use std::sync::Arc;
/// use larder_store::{Result, Store, Ttl};
/// use larder_structures::leaderboard::{Leaderboard, Ties};
///
/// async fn scored(store: Arc<dyn Store>, player: &str, points: i64) -> Result<()> {
///     let board = Leaderboard::new(store, "points", Ttl::from_secs(30 * 86_400))?
///         .with_ties(Ties::Competition);
///     board.add("summer", player, points).await?;
///     for row in board.around("summer", player, 2).await?.unwrap_or_default() {
///         println!("{}. {} {}", row.rank, row.member, row.score);
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Leaderboard {
    records: Records<BoardRecord>,
    ttl: Ttl,
    layout: Layout,
    ties: Ties,
    max_members: u32,
}

debug_name!(Leaderboard, records.name);

/// The maximum number of rows, members or places of one call: 1,000.
pub const MAX_ROWS: u32 = 1_000;

/// One row of a board.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// The member.
    pub member: Arc<str>,
    /// Its score.
    pub score: i64,
    /// Its rank, from 1.
    pub rank: u64,
}

/// The new state of a member after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placed {
    /// The score now.
    pub score: i64,
    /// The score before. None if the member was not on the board.
    pub previous: Option<i64>,
    /// Whether the member is on the board. It is not if a full board has only better members.
    pub is_kept: bool,
}

impl Leaderboard {
    /// Makes the boards called `name`, each of which lives for `ttl` after its last change.
    ///
    /// The name is in each key. It is 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name is invalid or the store runs no programs.
    pub fn new(store: Arc<dyn Store>, name: &str, ttl: Ttl) -> Result<Self> {
        Ok(Self {
            records: Records::new(store, name, "a leaderboard")?,
            ttl,
            layout: Layout::default(),
            ties: Ties::default(),
            max_members: 100_000,
        })
    }

    /// Sets which score is first. The default is [`Order::HighestFirst`]. Boards with different orders are different
    /// boards.
    #[must_use]
    pub fn with_order(mut self, order: Order) -> Self {
        self.layout.lowest_first = order == Order::LowestFirst;
        self
    }

    /// Ranks the member that reached a score earlier first, among those with the same score.
    ///
    /// By default ties are in the order of the members' bytes. Such a board takes about twice the memory,
    /// and is a different board from one without this setting.
    #[must_use]
    pub fn with_earlier_first(mut self) -> Self {
        self.layout.earlier_first = true;
        self
    }

    /// Sets the ranks of ties. The default is [`Ties::Unique`]. A board with [`Ties::Dense`] is a different board from
    /// one without.
    #[must_use]
    pub fn with_ties(mut self, ties: Ties) -> Self {
        self.ties = ties;
        self.layout.dense = ties == Ties::Dense;
        self
    }

    /// Keeps the best `members`, at least 1; 0 counts as 1. The default is 100,000.
    #[must_use]
    pub fn with_max_members(mut self, members: u32) -> Self {
        self.max_members = members.max(1);
        self
    }

    /// Sets the score of `member`, on the board `id`.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] if the member or the score is out of its bounds.
    /// After [`ErrorKind::MayHaveRun`] it may have been set; repeating the call is safe.
    ///
    /// # Cancellation
    /// It may or may not have been set.
    pub async fn set(&self, id: impl KeyId, member: &str, score: i64) -> Result<Placed> {
        self.change(id, Op::Set, member, score).await
    }

    /// Adds to the score of `member`. A member that is not on the board has 0.
    ///
    /// # Errors
    /// Those of [`set`](Self::set), and [`ErrorKind::Invalid`] if the sum would be past 2^53. After
    /// [`ErrorKind::MayHaveRun`] it may have been added, once: larder never sends it again.
    ///
    /// # Cancellation
    /// It may or may not have been added.
    pub async fn add(&self, id: impl KeyId, member: &str, by: i64) -> Result<Placed> {
        self.change(id, Op::Add, member, by).await
    }

    /// Sets the score of `member`, unless it already has one that is at least as good.
    ///
    /// # Errors
    /// Those of [`set`](Self::set). To send it again is safe.
    ///
    /// # Cancellation
    /// It may or may not have been set.
    pub async fn keep_best(&self, id: impl KeyId, member: &str, score: i64) -> Result<Placed> {
        self.change(id, Op::Best, member, score).await
    }

    /// Adds to the score of `member` on several boards, with a result for each. They are not one atomic
    /// step.
    ///
    /// [`Window`] names the boards of a day, of a week and of all time.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the member or `by` is out of its bounds. Each result has those of
    /// [`add`](Self::add).
    ///
    /// # Cancellation
    /// On each board it may or may not have been added.
    pub async fn add_to<I: KeyId>(
        &self,
        ids: impl IntoIterator<Item = I>,
        member: &str,
        by: i64,
    ) -> Result<Vec<Result<Placed>>> {
        let step = self.step(Op::Add, member, by)?;
        let steps = ids.into_iter().map(|id| (self.key(id), step.clone()));
        let steps: Vec<_> = steps.collect();
        let changed = self.records.run_many(steps).await.into_iter();
        Ok(changed.map(|changed| self.placed(changed?)).collect())
    }

    /// Removes members, at most [`MAX_ROWS`], and returns how many were on the board.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] if a member is out of its bounds.
    ///
    /// # Cancellation
    /// All of them are removed, or none.
    pub async fn remove(
        &self,
        id: impl KeyId,
        members: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<u64> {
        let (layout, ttl, members) = (self.layout, self.ttl, member::all("remove", members)?);
        let program = Remove {
            layout,
            ttl,
            members,
        };
        let removed = self.records.programs().run(&self.key(id), &program).await?;
        Ok(removed as u64)
    }

    /// Keeps only the best `keep` places, and returns how many it removed.
    ///
    /// It removes at most [`MAX_ROWS`] in one step, and takes as many steps as needed.
    ///
    /// # Errors
    /// Those of the store. Repeating the call is safe.
    ///
    /// # Cancellation
    /// Some of them may have been removed.
    pub async fn trim(&self, id: impl KeyId, keep: u32) -> Result<u64> {
        let key = self.key(id);
        let mut all = 0;
        loop {
            let trim = Trim {
                layout: self.layout,
                ttl: self.ttl,
                keep,
                many: MAX_ROWS,
            };
            let trimmed = self.records.programs().run(&key, &trim).await?;
            all += trimmed as u64;
            if trimmed < i64::from(MAX_ROWS) {
                return Ok(all);
            }
        }
    }

    fn key(&self, id: impl KeyId) -> Key {
        self.records.key((self.layout.flags(), id))
    }

    fn step(&self, op: Op, member: &str, number: i64) -> Result<Change> {
        check("change", "a score", number)?;
        Ok(Change {
            layout: self.layout,
            op,
            member: member::one("change", member)?,
            number: self.layout.turn(number),
            ttl: self.ttl,
            max_members: self.max_members,
        })
    }

    async fn change(&self, id: impl KeyId, op: Op, member: &str, number: i64) -> Result<Placed> {
        let step = self.step(op, member, number)?;
        let changed = self.records.programs().run(&self.key(id), &step).await?;
        self.placed(changed)
    }

    fn placed(&self, changed: Changed) -> Result<Placed> {
        match changed {
            Changed::Past => Err(past()),
            Changed::Placed {
                before,
                score,
                is_kept,
            } => Ok(Placed {
                score: self.layout.turn(score),
                previous: before.map(|score| self.layout.turn(score)),
                is_kept,
            }),
        }
    }
}

fn past() -> Error {
    Error::new(
        "change",
        ErrorKind::Invalid,
        "the score would be past 2^53, so it was not changed",
    )
}
