use std::sync::Arc;

use bytes::Bytes;
use larder_store::count_poisoned;
use larder_store::program::prelude::*;

use super::options::{Layout, Ties};
use super::record::{BoardRecord, Rows};

/// Reads rows in order.
#[derive(Clone, Debug)]
pub(crate) struct ReadRows {
    pub(super) layout: Layout,
    pub(super) ties: Ties,
    pub(super) which: Which,
}

/// The rows to read. Scores are in their stored form.
#[derive(Clone, Debug)]
pub(crate) enum Which {
    Positions { first: u32, many: u32 },
    Around { member: Arc<str>, radius: u32 },
    Scores { low: i64, high: i64, many: u32 },
}

impl Program for ReadRows {
    type Record = BoardRecord;
    /// None if the member is not on the board.
    type Reply = Option<Rows>;

    const SCRIPT: &'static Script = &Script::new(
        "board-rows",
        Effect::Read,
        concat!(
            include_str!("board.lua"),
            include_str!("rank.lua"),
            include_str!("rows.lua"),
        ),
    );

    arguments!(layout, ties, which);

    fn step(&self, record: &mut Slot<'_, BoardRecord>, _: Timestamp) -> Option<Rows> {
        let Some(board) = record.get() else {
            return match self.which {
                Which::Around { .. } => None,
                Which::Positions { first, .. } => Some(Rows {
                    start: first.into(),
                    ..Rows::default()
                }),
                Which::Scores { .. } => Some(Rows::default()),
            };
        };
        let (start, many) = match &self.which {
            Which::Positions { first, many } => (*first as usize, *many as usize),
            Which::Around { member, radius } => {
                let (at, radius) = (board.position(member)?, *radius as usize);
                let start = at.saturating_sub(radius);
                (start, at + radius + 1 - start)
            }
            Which::Scores { low, high, many } => {
                let many = board.between(*low, *high).min(*many as usize);
                (board.better(*low), many)
            }
        };
        Some(board.rows(self.ties, start, many))
    }
}

impl Arg for Which {
    fn write(&self, args: &mut Args) {
        match self {
            Self::Positions { first, many } => {
                args.text("positions");
                (*first, i64::from(*first) + i64::from(*many) - 1).write(args);
            }
            Self::Around { member, radius } => {
                args.text("around");
                (member, *radius).write(args);
            }
            Self::Scores { low, high, many } => {
                args.text("scores");
                ((*low, *high), *many).write(args);
            }
        }
    }
}

impl FromWire for Rows {
    fn from_wire(wire: Wire) -> Result<Self> {
        let (start, rank, rows): (_, _, Wire) = wire.read()?;
        let rows = rows.pairs::<Bytes, Wire>()?.into_iter();
        let row = |(member, score): (Bytes, Wire)| {
            let member = std::str::from_utf8(&member).ok();
            let row = member.zip(score.int().ok());
            if row.is_none() {
                count_poisoned(BoardRecord::KIND);
            }
            row.map(|(member, score)| (member.into(), score))
        };
        Ok(Self {
            start,
            rank,
            rows: rows.filter_map(row).collect(),
        })
    }
}

/// Reads the score and the rank of each of some members.
#[derive(Clone, Debug)]
pub(crate) struct ReadRanks {
    pub(super) layout: Layout,
    pub(super) ties: Ties,
    pub(super) members: Vec<Arc<str>>,
}

impl Program for ReadRanks {
    type Record = BoardRecord;
    /// The score and the rank of each.
    type Reply = Vec<Option<(i64, i64)>>;

    const SCRIPT: &'static Script = &Script::new(
        "board-ranks",
        Effect::Read,
        concat!(
            include_str!("board.lua"),
            include_str!("rank.lua"),
            include_str!("ranks.lua"),
        ),
    );

    arguments!(layout, ties, members);

    fn step(&self, record: &mut Slot<'_, BoardRecord>, _: Timestamp) -> Self::Reply {
        let board = record.get();
        let members = self.members.iter();
        members
            .map(|member| board?.rank(self.ties, member))
            .collect()
    }
}

/// Counts all members, and those with a score in a range.
#[derive(Clone, Debug)]
pub(crate) struct Count {
    /// In stored form.
    pub(super) low: i64,
    pub(super) high: i64,
}

impl Program for Count {
    type Record = BoardRecord;
    /// All, and those in the range.
    type Reply = (u64, u64);

    const SCRIPT: &'static Script = &Script::new(
        "board-count",
        Effect::Read,
        "return {redis.call('ZCARD', KEYS[1]), redis.call('ZCOUNT', KEYS[1], ARGV[1], ARGV[2])}",
    );

    arguments!(low, high);

    fn step(&self, record: &mut Slot<'_, BoardRecord>, _: Timestamp) -> (u64, u64) {
        let between = |board: &BoardRecord| board.between(self.low, self.high) as u64;
        let count = |board: &BoardRecord| (board.len() as u64, between(board));
        record.get().map_or((0, 0), count)
    }
}

/// Reads the number of members, and how many have a worse score than one of them.
#[derive(Clone, Debug)]
pub(crate) struct ReadPercentile {
    pub(super) layout: Layout,
    pub(super) member: Arc<str>,
}

impl Program for ReadPercentile {
    type Record = BoardRecord;
    /// All, and those with a worse score.
    type Reply = Option<(i64, i64)>;

    const SCRIPT: &'static Script = &Script::new(
        "board-percentile",
        Effect::Read,
        concat!(
            include_str!("board.lua"),
            "local score = held(ARGV[2])
             if not score then return false end
             return {redis.call('ZCARD', KEYS[1]),
                     redis.call('ZCOUNT', KEYS[1], '(' .. num(score), '+inf')}",
        ),
    );

    arguments!(layout, member);

    fn step(&self, record: &mut Slot<'_, BoardRecord>, _: Timestamp) -> Self::Reply {
        let board = record.get()?;
        let score = board.score(&self.member)?;
        let worse = board.len() - board.better(score + 1);
        Some((board.len() as i64, worse as i64))
    }
}

/// Reads the score at a percentile.
#[derive(Clone, Debug)]
pub(crate) struct ScoreAt {
    /// From the best: 0 is the first place, 100 the last.
    pub(super) percent: u32,
}

impl Program for ScoreAt {
    type Record = BoardRecord;
    type Reply = Option<i64>;

    const SCRIPT: &'static Script = &Script::new(
        "board-score-at",
        Effect::Read,
        "local last = redis.call('ZCARD', KEYS[1]) - 1
         if last < 0 then return false end
         local at = math.floor(last * tonumber(ARGV[1]) / 100)
         return redis.call('ZRANGE', KEYS[1], num(at), num(at), 'WITHSCORES')[2]",
    );

    arguments!(percent);

    fn step(&self, record: &mut Slot<'_, BoardRecord>, _: Timestamp) -> Option<i64> {
        let board = record.get()?;
        let last = board.len().checked_sub(1)?;
        board.score_at(last * self.percent as usize / 100)
    }
}
