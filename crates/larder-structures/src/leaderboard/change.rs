use std::sync::Arc;

use larder_store::program::{Args, Effect, Program, Script, Slot, Wire};
use larder_store::{Result, Timestamp, Ttl};

use super::options::Layout;
use super::record::BoardRecord;
use crate::number;

/// Changes the score of a member.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(super) layout: Layout,
    pub(super) op: Op,
    pub(super) member: Arc<str>,
    /// As it is kept: see [`Layout::turn`].
    pub(super) number: i64,
    pub(super) ttl: Ttl,
    pub(super) max_members: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Set,
    Add,
    Best,
}

/// What a [`Change`] did. Scores are as they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// The sum would be past 2^53, so nothing was changed.
    Past,
    Placed {
        before: Option<i64>,
        score: i64,
        /// Whether the member is on the board now.
        is_kept: bool,
    },
}

/// How many places past the cap one step removes, where the cap was lowered.
const TRIMMED: usize = 16;

impl Program for Change {
    type Record = BoardRecord;
    type Reply = Changed;

    const SCRIPT: &'static Script = &Script::new(
        "board-change",
        Effect::Once,
        concat!(include_str!("board.lua"), include_str!("change.lua")),
    );

    fn args(&self, args: &mut Args) {
        self.layout.args(args);
        args.text(match self.op {
            Op::Set => "set",
            Op::Add => "add",
            Op::Best => "best",
        });
        args.text(&self.member);
        args.int(self.number);
        args.int(self.ttl.as_millis() as i64);
        args.int(self.max_members.into());
    }

    fn step(&self, record: &mut Slot<'_, BoardRecord>, _: Timestamp) -> Changed {
        let before = record.get().and_then(|board| board.score(&self.member));
        let mut score = self.number;
        let mut is_kept = true;
        match (self.op, before) {
            (Op::Add, Some(before)) => match number::add(before, score) {
                Some(sum) => score = sum,
                None => return Changed::Past,
            },
            (Op::Best, Some(before)) if before <= score => {
                let score = before;
                let before = Some(before);
                return Changed::Placed {
                    before,
                    score,
                    is_kept,
                };
            }
            _ => {}
        }
        if record.get().is_none() {
            record.put(BoardRecord::default(), self.ttl);
        }
        if let Some(board) = record.update(self.ttl) {
            if before != Some(score) {
                board.put(self.layout, &self.member, score);
            }
            board.trim(self.layout, self.max_members as usize, TRIMMED);
            is_kept = board.score(&self.member).is_some();
        }
        Changed::Placed {
            before,
            score,
            is_kept,
        }
    }

    fn reply(&self, wire: Wire) -> Result<Changed> {
        let mut list = wire.list()?.into_iter();
        let mut next = || list.next().unwrap_or(Wire::Nil);
        let (word, before, score) = (next().bytes()?, next(), next());
        let is_kept = match &*word {
            b"past" => return Ok(Changed::Past),
            b"kept" => true,
            b"trimmed" => false,
            _ => return Err(Wire::unexpected("'past', 'kept' or 'trimmed'")),
        };
        Ok(Changed::Placed {
            before: before.optional_int()?,
            score: score.int()?,
            is_kept,
        })
    }
}

/// Removes members, and returns how many were there.
#[derive(Clone, Debug)]
pub(crate) struct Remove {
    pub(super) layout: Layout,
    pub(super) ttl: Ttl,
    pub(super) members: Vec<Arc<str>>,
}

impl Program for Remove {
    type Record = BoardRecord;
    type Reply = i64;

    const SCRIPT: &'static Script = &Script::new(
        "board-remove",
        Effect::Once,
        concat!(include_str!("board.lua"), include_str!("remove.lua")),
    )
    .runs_when_full();

    fn args(&self, args: &mut Args) {
        self.layout.args(args);
        args.int(self.ttl.as_millis() as i64);
        self.members.iter().for_each(|member| args.text(member));
    }

    fn step(&self, record: &mut Slot<'_, BoardRecord>, _: Timestamp) -> i64 {
        let is_there =
            |board: &BoardRecord| self.members.iter().any(|it| board.score(it).is_some());
        if !record.get().is_some_and(is_there) {
            return 0;
        }
        let Some(board) = record.update(self.ttl) else {
            return 0;
        };
        let members = self.members.iter();
        let removed = members.filter_map(|member| board.remove(self.layout, member));
        let removed = removed.count() as i64;
        if board.len() == 0 {
            record.remove();
        }
        removed
    }

    fn reply(&self, wire: Wire) -> Result<i64> {
        wire.int()
    }
}

/// Removes the worst places past the first `keep`, and returns how many it removed.
#[derive(Clone, Debug)]
pub(crate) struct Trim {
    pub(super) layout: Layout,
    pub(super) ttl: Ttl,
    pub(super) keep: u32,
    pub(super) many: u32,
}

impl Program for Trim {
    type Record = BoardRecord;
    type Reply = i64;

    const SCRIPT: &'static Script = &Script::new(
        "board-trim",
        Effect::Once,
        concat!(
            include_str!("board.lua"),
            "local trimmed = trim(tonumber(ARGV[3]), tonumber(ARGV[4]))
             if trimmed > 0 then renew(tonumber(ARGV[2])) end
             return trimmed",
        ),
    )
    .runs_when_full();

    fn args(&self, args: &mut Args) {
        self.layout.args(args);
        args.int(self.ttl.as_millis() as i64);
        args.int(self.keep.into());
        args.int(self.many.into());
    }

    fn step(&self, record: &mut Slot<'_, BoardRecord>, _: Timestamp) -> i64 {
        let keep = self.keep as usize;
        if record.get().is_none_or(|board| board.len() <= keep) {
            return 0;
        }
        let Some(board) = record.update(self.ttl) else {
            return 0;
        };
        let trimmed = board.trim(self.layout, keep, self.many as usize);
        if board.len() == 0 {
            record.remove();
        }
        trimmed as i64
    }

    fn reply(&self, wire: Wire) -> Result<i64> {
        wire.int()
    }
}
