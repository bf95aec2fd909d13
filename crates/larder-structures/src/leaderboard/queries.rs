use std::ops::RangeInclusive;
use std::sync::Arc;

use larder_store::program::{Inspection, MAX_INT};
use larder_store::{Error, ErrorKind, KeyId, Result};

use super::reads::{Count, ReadPercentile, ReadRanks, ReadRows, ScoreAt, Which};
use super::record::{BoardRecord, Rows};
use super::{Leaderboard, MAX_ROWS, Row, Ties};
use crate::member;

/// Reads, each a snapshot of one moment.
impl Leaderboard {
    /// Returns the first `many` rows, at most [`MAX_ROWS`].
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] for too many.
    pub async fn top(&self, id: impl KeyId, many: u32) -> Result<Vec<Row>> {
        self.range(id, 0, many).await
    }

    /// Returns `many` rows after the first `skip`, at most [`MAX_ROWS`].
    ///
    /// A page of a board that changes may repeat a member that moved down between two pages.
    ///
    /// # Errors
    /// Those of [`top`](Self::top).
    pub async fn range(&self, id: impl KeyId, skip: u32, many: u32) -> Result<Vec<Row>> {
        let which = Which::Positions {
            first: skip,
            many: rows("range", many)?,
        };
        Ok(self.rows(id, which).await?.unwrap_or_default())
    }

    /// Returns `member` with up to `radius` rows before and after it. None if it is not on the board.
    ///
    /// # Errors
    /// Those of [`top`](Self::top), and [`ErrorKind::Invalid`] if a member is out of its bounds.
    pub async fn around(
        &self,
        id: impl KeyId,
        member: &str,
        radius: u32,
    ) -> Result<Option<Vec<Row>>> {
        let which = Which::Around {
            member: member::one("around", member)?,
            radius: rows("around", radius)?,
        };
        self.rows(id, which).await
    }

    /// Returns at most `many` rows with a score from `low` to `high`, best first, and at most
    /// [`MAX_ROWS`].
    ///
    /// # Errors
    /// Those of [`top`](Self::top).
    pub async fn in_range(
        &self,
        id: impl KeyId,
        scores: RangeInclusive<i64>,
        many: u32,
    ) -> Result<Vec<Row>> {
        let (low, high) = self.turned(scores);
        let many = rows("in_range", many)?;
        let which = Which::Scores { low, high, many };
        Ok(self.rows(id, which).await?.unwrap_or_default())
    }

    /// Returns the rows of some members, in the given order: for example the ranks of friends on the
    /// whole board. None for a member that is not on the board. At most [`MAX_ROWS`] members.
    ///
    /// # Errors
    /// Those of [`around`](Self::around).
    pub async fn among(
        &self,
        id: impl KeyId,
        members: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Vec<Option<Row>>> {
        let ranks = ReadRanks {
            layout: self.layout,
            ties: self.ties,
            members: member::all("among", members)?,
        };
        let found = self.records.programs().run(&self.key(id), &ranks).await?;
        let found = ranks.members.into_iter().zip(found);
        let row = |(member, found): (Arc<str>, Option<(i64, i64)>)| {
            let (score, rank) = found?;
            Some(Row {
                member,
                score: self.layout.turn(score),
                rank: rank as u64,
            })
        };
        Ok(found.map(row).collect())
    }

    /// Returns the row of `member`. None if it is not on the board.
    ///
    /// # Errors
    /// Those of [`around`](Self::around).
    pub async fn get(&self, id: impl KeyId, member: &str) -> Result<Option<Row>> {
        Ok(self.among(id, &[member]).await?.pop().flatten())
    }

    /// Returns the percentage of all members that have a worse score than `member`. None if it is not on the board.
    ///
    /// # Errors
    /// Those of [`around`](Self::around).
    pub async fn percentile(&self, id: impl KeyId, member: &str) -> Result<Option<f64>> {
        let (layout, member) = (self.layout, member::one("percentile", member)?);
        let program = ReadPercentile { layout, member };
        let found = self.records.programs().run(&self.key(id), &program).await?;
        Ok(found.map(|(all, worse)| 100.0 * worse as f64 / all as f64))
    }

    /// Returns the score needed for `percentile`: 100 is the first place, 0 the last.
    ///
    /// None for an empty board. A percentile above 100 is treated as 100.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn score_at_percentile(&self, id: impl KeyId, percentile: u8) -> Result<Option<i64>> {
        let percent = 100 - u32::from(percentile.min(100));
        let score = ScoreAt { percent };
        let score = self.records.programs().run(&self.key(id), &score).await?;
        Ok(score.map(|score| self.layout.turn(score)))
    }

    /// Returns the number of members.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn len(&self, id: impl KeyId) -> Result<u64> {
        let (low, high) = (0, 0);
        let program = Count { low, high };
        let (all, _) = self.records.programs().run(&self.key(id), &program).await?;
        Ok(all)
    }

    /// Returns the number of members with a score from `low` to `high`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn count(&self, id: impl KeyId, scores: RangeInclusive<i64>) -> Result<u64> {
        let (low, high) = self.turned(scores);
        let program = Count { low, high };
        let (_, between) = self.records.programs().run(&self.key(id), &program).await?;
        Ok(between)
    }

    /// Returns a summary of the board `id`, for people and tools. It names no member. One round trip.
    ///
    /// The score of the first place is in its stored form: negated, if the highest is first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn inspect(&self, id: impl KeyId) -> Result<Inspection> {
        let key = self.key(id);
        self.records.programs().inspect::<BoardRecord>(&key).await
    }

    async fn rows(&self, id: impl KeyId, which: Which) -> Result<Option<Vec<Row>>> {
        let program = ReadRows {
            layout: self.layout,
            ties: self.ties,
            which,
        };
        let rows = self.records.programs().run(&self.key(id), &program).await?;
        Ok(rows.map(|rows| self.ranked(rows)))
    }

    /// Computes the rank of each row from that of the first.
    fn ranked(&self, rows: Rows) -> Vec<Row> {
        let (mut rank, mut before) = (rows.rank, None);
        let rows = (rows.start..).zip(rows.rows);
        let row = |(position, (member, score)): (i64, (Arc<str>, i64))| {
            match (before, self.ties) {
                (None, _) => {}
                (_, Ties::Unique) => rank = position + 1,
                (Some(before), _) if before == score => {}
                (_, Ties::Competition) => rank = position + 1,
                (_, Ties::Dense) => rank += 1,
            }
            before = Some(score);
            Row {
                member,
                score: self.layout.turn(score),
                rank: rank as u64,
            }
        };
        rows.map(row).collect()
    }

    /// Returns the range in stored form. An empty range, or one past 2^53, contains no score.
    fn turned(&self, scores: RangeInclusive<i64>) -> (i64, i64) {
        let (low, high) = scores.into_inner();
        let (low, high) = (low.max(-MAX_INT), high.min(MAX_INT));
        if low > high {
            return (1, 0);
        }
        match self.layout.lowest_first {
            true => (low, high),
            false => (self.layout.turn(high), self.layout.turn(low)),
        }
    }
}

fn rows(operation: &'static str, many: u32) -> Result<u32> {
    if many <= MAX_ROWS {
        return Ok(many);
    }
    Err(Error::new(
        operation,
        ErrorKind::Invalid,
        "at most 1,000 rows are read at once: read the rest in further pages",
    ))
}
