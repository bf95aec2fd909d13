use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use larder_store::program::prelude::*;

use super::options::{Layout, Ties};
use crate::ordered::Ordered;

/// The record of a leaderboard, for [`inspect`](larder_store::program::Programs#method.inspect).
///
/// On Redis the places are a sorted set. A board that ranks the earlier of a tie first also has a hash,
/// and one with dense ranks a second sorted set.
#[derive(Debug, Default)]
pub struct BoardRecord {
    places: Ordered<Place>,
    members: HashMap<Arc<str>, (i64, i64), foldhash::fast::RandomState>,
    /// The distinct scores, if they are needed.
    scores: Ordered<i64>,
    /// The number of times that a member reached a new score, if the earlier of a tie is first.
    reached: i64,
}

record! {
    BoardRecord, Kind::record("board").partitioned(), parts ["", "at", "scores"];
    /// Shows people and tools the number of members, the score of the first, and of how many it is known when they
    /// reached their score. It names none.
    pub InspectBoard = "board-inspect",
    "local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
     if not first[2] then return {} end
     return {'members', redis.call('ZCARD', KEYS[1]), 'first', first[2],
       'times', math.max(redis.call('HLEN', KEYS[2]) - 1, 0)}",
    |held, shown| shown
        .with("members", held.len())
        .with("first", held.score_at(0).unwrap_or(0))
        .with("times", if held.reached > 0 { held.len() } else { 0 }),
}

/// One member's place. The lower score is first, then the earlier, then the lower name by its bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    score: i64,
    at: i64,
    member: Arc<str>,
}

/// Rows in order, with the data from which their ranks follow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    /// The number of places before the first row.
    pub(super) start: i64,
    /// The rank of the first row.
    pub(super) rank: i64,
    pub(super) rows: Vec<(Arc<str>, i64)>,
}

impl BoardRecord {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn score(&self, member: &str) -> Option<i64> {
        self.members.get(member).map(|(score, _)| *score)
    }

    /// Sets a new score of a member.
    pub(super) fn put(&mut self, layout: Layout, member: &str, score: i64) {
        let member = match self.remove(layout, member) {
            Some(member) => member,
            None => member.into(),
        };
        if layout.earlier_first {
            self.reached += 1;
        }
        let at = self.reached;
        self.members.insert(member.clone(), (score, at));
        self.places.insert(Place { score, at, member });
        if layout.dense {
            self.scores.insert(score);
        }
    }

    /// Removes a member, and returns its name.
    pub(super) fn remove(&mut self, layout: Layout, member: &str) -> Option<Arc<str>> {
        let (member, (score, at)) = self.members.remove_entry(member)?;
        let place = Place { score, at, member };
        self.places.remove(&place);
        if layout.dense && self.between(score, score) == 0 {
            self.scores.remove(&score);
        }
        Some(place.member)
    }

    /// Keeps only the best `keep` places, and removes at most `many`.
    pub(super) fn trim(&mut self, layout: Layout, keep: usize, many: usize) -> usize {
        let over = self.len().saturating_sub(keep).min(many);
        for _ in 0..over {
            if let Some(last) = self.places.last() {
                let member = last.member.clone();
                self.remove(layout, &member);
            }
        }
        over
    }

    /// Returns how many members have a better score.
    pub(super) fn better(&self, score: i64) -> usize {
        self.places.partition_point(|place| place.score < score)
    }

    /// Returns how many members have a score from `low` to `high`.
    pub(super) fn between(&self, low: i64, high: i64) -> usize {
        let to = self.places.partition_point(|place| place.score <= high);
        to.saturating_sub(self.better(low))
    }

    pub(super) fn rank(&self, ties: Ties, member: &str) -> Option<(i64, i64)> {
        let score = self.score(member)?;
        let before = match ties {
            Ties::Unique => self.position(member)?,
            Ties::Competition => self.better(score),
            Ties::Dense => self.scores.partition_point(|held| *held < score),
        };
        Some((score, before as i64 + 1))
    }

    /// Returns how many places are before that of a member.
    pub(super) fn position(&self, member: &str) -> Option<usize> {
        let &(score, at) = self.members.get(member)?;
        Some(self.places.partition_point(|place| {
            let order = place.score.cmp(&score).then(place.at.cmp(&at));
            order.then_with(|| (*place.member).cmp(member)) == Ordering::Less
        }))
    }

    pub(super) fn score_at(&self, position: usize) -> Option<i64> {
        self.places.get(position).map(|place| place.score)
    }

    /// Returns the rows from a position on.
    pub(super) fn rows(&self, ties: Ties, start: usize, many: usize) -> Rows {
        let rows = self.places.iter_from(start).take(many);
        let rows: Vec<_> = rows
            .map(|place| (place.member.clone(), place.score))
            .collect();
        let before = rows.first().map_or(-1, |(_, score)| match ties {
            Ties::Unique => start as i64,
            Ties::Competition => self.better(*score) as i64,
            Ties::Dense => self.scores.partition_point(|held| held < score) as i64,
        });
        Rows {
            start: start as i64,
            rank: before + 1,
            rows,
        }
    }
}
