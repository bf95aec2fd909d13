use std::sync::Arc;

use bytes::Bytes;
use larder_store::program::prelude::*;

use super::options::Layout;
use super::record::BoardRecord;
use crate::number;

/// Changes the score of a member.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(super) layout: Layout,
    pub(super) op: Op,
    pub(super) member: Arc<str>,
    /// In its stored form: see [`Layout::turn`].
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

/// The result of a [`Change`]. Scores are in their stored form.
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

/// The number of places past a lowered cap that one step removes.
const TRIMMED: usize = 16;

impl Program for Change {
    type Record = BoardRecord;
    type Reply = Changed;

    const SCRIPT: &'static Script = &Script::new(
        "board-change",
        Effect::Once,
        concat!(include_str!("board.lua"), include_str!("change.lua")),
    );

    arguments!(layout, op, member, number, ttl, max_members);

    fn step(&self, record: &mut Slot<'_, BoardRecord>, _: Timestamp) -> Changed {
        let before = record.get().and_then(|board| board.score(&self.member));
        let mut score = self.number;
        match (self.op, before) {
            (Op::Add, Some(before)) => match number::add(before, score) {
                Some(sum) => score = sum,
                None => return Changed::Past,
            },
            (Op::Best, Some(before)) if before <= score => {
                let score = before;
                return Changed::Placed {
                    before: Some(before),
                    score,
                    is_kept: true,
                };
            }
            _ => {}
        }
        let board = record.update_or(self.ttl, BoardRecord::default);
        if before != Some(score) {
            board.put(self.layout, &self.member, score);
        }
        board.trim(self.layout, self.max_members as usize, TRIMMED);
        let is_kept = board.score(&self.member).is_some();
        Changed::Placed {
            before,
            score,
            is_kept,
        }
    }
}

impl FromWire for Changed {
    fn from_wire(wire: Wire) -> Result<Self> {
        let (word, before, score): (Bytes, Option<i64>, i64) = wire.read()?;
        match &*word {
            b"past" => Ok(Self::Past),
            b"kept" | b"trimmed" => Ok(Self::Placed {
                before,
                score,
                is_kept: &*word == b"kept",
            }),
            _ => Err(Wire::unexpected("'past', 'kept' or 'trimmed'")),
        }
    }
}

impl Arg for Op {
    fn write(&self, args: &mut Args) {
        args.text(match self {
            Self::Set => "set",
            Self::Add => "add",
            Self::Best => "best",
        });
    }
}

/// Removes members, and returns how many were on the board.
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

    arguments!(layout, ttl, members);

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
}

/// Keeps only the best `keep` places, and returns how many it removed.
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
             if trimmed > 0 then renew(ARGV[2]) end
             return trimmed",
        ),
    )
    .runs_when_full();

    arguments!(layout, ttl, keep, many);

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
}
