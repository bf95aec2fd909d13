use std::sync::Arc;

use larder_store::program::{Args, Effect, Inspection, Program, Record, Script, Slot, Wire};
use larder_store::{Result, Timestamp, count_poisoned};

use super::options::{Layout, Ties};
use super::record::{BoardRecord, Rows};

/// Reads rows in order.
#[derive(Clone, Debug)]
pub(crate) struct ReadRows {
    pub(super) layout: Layout,
    pub(super) ties: Ties,
    pub(super) which: Which,
}

/// Which rows are read. Scores are as they are kept.
#[derive(Clone, Debug)]
pub(crate) enum Which {
    Positions { first: u32, many: u32 },
    Around { member: Arc<str>, radius: u32 },
    Scores { low: i64, high: i64, many: u32 },
}

impl Program for ReadRows {
    type Record = BoardRecord;
    /// None if there is no member to be around.
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

    fn args(&self, args: &mut Args) {
        self.layout.args(args);
        self.ties.args(args);
        match &self.which {
            Which::Positions { first, many } => {
                args.text("positions");
                args.int((*first).into());
                args.int(i64::from(*first) + i64::from(*many) - 1);
            }
            Which::Around { member, radius } => {
                args.text("around");
                args.text(member);
                args.int((*radius).into());
            }
            Which::Scores { low, high, many } => {
                args.text("scores");
                args.int(*low);
                args.int(*high);
                args.int((*many).into());
            }
        }
    }

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

    fn reply(&self, wire: Wire) -> Result<Option<Rows>> {
        if matches!(wire, Wire::Nil) {
            return Ok(None);
        }
        let [start, rank, rows] = wire.array()?;
        let mut list = rows.list()?.into_iter();
        let mut rows = Vec::with_capacity(list.len() / 2);
        while let (Some(member), Some(score)) = (list.next(), list.next()) {
            match (std::str::from_utf8(&member.bytes()?), score.int()) {
                (Ok(member), Ok(score)) => rows.push((member.into(), score)),
                _ => count_poisoned(BoardRecord::KIND),
            }
        }
        Ok(Some(Rows {
            start: start.int()?,
            rank: rank.int()?,
            rows,
        }))
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

    fn args(&self, args: &mut Args) {
        self.layout.args(args);
        self.ties.args(args);
        self.members.iter().for_each(|member| args.text(member));
    }

    fn step(&self, record: &mut Slot<'_, BoardRecord>, _: Timestamp) -> Self::Reply {
        let board = record.get();
        let members = self.members.iter();
        members
            .map(|member| board?.rank(self.ties, member))
            .collect()
    }

    fn reply(&self, wire: Wire) -> Result<Self::Reply> {
        let list = wire.list()?.into_iter().map(|wire| match wire {
            Wire::Nil => Ok(None),
            wire => {
                let [score, rank] = wire.array()?;
                Ok(Some((score.int()?, rank.int()?)))
            }
        });
        list.collect()
    }
}

/// Counts all members, those with a score in a range, and those with a better one.
#[derive(Clone, Debug)]
pub(crate) struct Count {
    /// As they are kept.
    pub(super) low: i64,
    pub(super) high: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(super) all: i64,
    pub(super) between: i64,
}

impl Program for Count {
    type Record = BoardRecord;
    type Reply = Counts;

    const SCRIPT: &'static Script = &Script::new(
        "board-count",
        Effect::Read,
        "return {redis.call('ZCARD', KEYS[1]), redis.call('ZCOUNT', KEYS[1], ARGV[1], ARGV[2])}",
    );

    fn args(&self, args: &mut Args) {
        args.int(self.low);
        args.int(self.high);
    }

    fn step(&self, record: &mut Slot<'_, BoardRecord>, _: Timestamp) -> Counts {
        let count = |board: &BoardRecord| Counts {
            all: board.len() as i64,
            between: board.between(self.low, self.high) as i64,
        };
        record.get().map_or(Counts { all: 0, between: 0 }, count)
    }

    fn reply(&self, wire: Wire) -> Result<Counts> {
        let [all, between] = wire.array()?;
        Ok(Counts {
            all: all.int()?,
            between: between.int()?,
        })
    }
}

/// Reads how a member stands: how many are on the board, and how many of them have a worse score.
#[derive(Clone, Debug)]
pub(crate) struct ReadPercentile {
    pub(super) layout: Layout,
    pub(super) member: Arc<str>,
}

impl Program for ReadPercentile {
    type Record = BoardRecord;
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

    fn args(&self, args: &mut Args) {
        self.layout.args(args);
        args.text(&self.member);
    }

    fn step(&self, record: &mut Slot<'_, BoardRecord>, _: Timestamp) -> Self::Reply {
        let board = record.get()?;
        let score = board.score(&self.member)?;
        let worse = board.len() - board.better(score + 1);
        Some((board.len() as i64, worse as i64))
    }

    fn reply(&self, wire: Wire) -> Result<Self::Reply> {
        if matches!(wire, Wire::Nil) {
            return Ok(None);
        }
        let [all, worse] = wire.array()?;
        Ok(Some((all.int()?, worse.int()?)))
    }
}

/// Reads the score at a percentile.
#[derive(Clone, Debug)]
pub(crate) struct ScoreAt {
    /// From the best: 0 is the first place, 100 the last.
    pub(super) percent: u8,
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

    fn args(&self, args: &mut Args) {
        args.int(self.percent.into());
    }

    fn step(&self, record: &mut Slot<'_, BoardRecord>, _: Timestamp) -> Option<i64> {
        let board = record.get()?;
        let last = board.len().checked_sub(1)?;
        board.score_at(last * usize::from(self.percent) / 100)
    }

    fn reply(&self, wire: Wire) -> Result<Option<i64>> {
        wire.optional_int()
    }
}

/// Shows people and tools how many members there are and the score of the first. It names none.
#[derive(Clone, Copy, Debug, Default)]
pub struct InspectBoard;

impl Program for InspectBoard {
    type Record = BoardRecord;
    type Reply = Inspection;

    const SCRIPT: &'static Script = &Script::new(
        "board-inspect",
        Effect::Read,
        "local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
         if not first[2] then return {} end
         return {'members', redis.call('ZCARD', KEYS[1]), 'first', first[2]}",
    );

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, BoardRecord>, _: Timestamp) -> Inspection {
        match record.get() {
            Some(board) => Inspection::new()
                .with("members", board.len())
                .with("first", board.score_at(0).unwrap_or(0)),
            None => Inspection::new(),
        }
    }

    fn reply(&self, wire: Wire) -> Result<Inspection> {
        Inspection::from_wire(wire)
    }
}
