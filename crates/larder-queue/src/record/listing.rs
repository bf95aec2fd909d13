use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larder_store::program::prelude::*;

use super::scored::Scored;
use super::{CLASS, FLOOR, Held, LEASED, QueueRecord, STEP_BYTES};
use crate::queue::Counts;

/// A part of the record that holds jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Band {
    Ready,
    InGroup,
    Scheduled,
    Leased,
    Dead,
    Done,
}

impl Band {
    fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::InGroup => "group",
            Self::Scheduled => "scheduled",
            Self::Leased => "leased",
            Self::Dead => "dead",
            Self::Done => "done",
        }
    }

    /// Returns the offset that is added to a time in this band.
    fn origin(self) -> i64 {
        match self {
            Self::Leased => LEASED,
            _ => 0,
        }
    }
}

impl Arg for Band {
    fn write(&self, args: &mut Args) {
        args.text(self.name());
    }
}

impl QueueRecord {
    fn set(&self, band: Band) -> Option<&Scored> {
        match band {
            Band::Ready => Some(&self.ready),
            Band::InGroup => None,
            Band::Scheduled => Some(&self.scheduled),
            Band::Leased => Some(&self.leased),
            Band::Dead => Some(&self.dead),
            Band::Done => Some(&self.done),
        }
    }

    /// Returns the first jobs of a band. A token of a group stands for its first job.
    pub(super) fn members(&self, band: Band, many: usize) -> Vec<Arc<str>> {
        let Some(set) = self.set(band) else {
            let waiting = self.in_group.values().flatten();
            return waiting.take(many).map(|(.., id)| id.clone()).collect();
        };
        let members = set.first_up_to(i64::MAX, many).into_iter();
        let job = |member: Arc<str>| match member.strip_prefix('\0') {
            Some(group) => Some(self.first_of(group)?.2.clone()),
            None => Some(member),
        };
        members.filter_map(job).collect()
    }

    /// Returns the jobs that wait in groups, behind a member of the sorted set on Redis; all if it
    /// is empty.
    fn in_groups_after(
        &self,
        member: &[u8],
    ) -> impl Iterator<Item = (&Arc<str>, &(u8, i64, Arc<str>))> {
        let text = std::str::from_utf8(member).unwrap_or_default();
        let (group, place) = text
            .strip_prefix('w')
            .and_then(|text| text.split_once('\0'))
            .unwrap_or_default();
        let group: Arc<str> = group.into();
        let last = place.split_at_checked(17).and_then(|(number, id)| {
            let (class, place) = number.split_at_checked(1)?;
            Some((class.parse().ok()?, place.parse().ok()?, id.into()))
        });
        let after = (last.map_or(Unbounded, Excluded), Unbounded);
        let rest = self.in_group.get_key_value(&group).into_iter();
        let rest = rest
            .flat_map(move |(group, jobs)| jobs.range(after.clone()).map(move |job| (group, job)));
        let others = self.in_group.range((Excluded(group), Unbounded));
        let others = others.flat_map(|(group, jobs)| jobs.iter().map(move |job| (group, job)));
        rest.chain(others)
    }

    /// Returns the longest time for which the first job of each priority has been due.
    fn oldest(&self, at: i64) -> i64 {
        let first = |class: i64| {
            let low = FLOOR + class * CLASS;
            let member = self.ready.first_between(low, low + CLASS)?;
            let id = match member.strip_prefix('\0') {
                Some(group) => &self.first_of(group)?.2,
                None => member,
            };
            self.jobs.get(id).map(|job| job.due)
        };
        let dues = (0..4).filter_map(first);
        dues.map(|due| (at - due).max(0)).max().unwrap_or(0)
    }
}

/// Counts the jobs of each state.
#[derive(Clone, Debug)]
pub(crate) struct Count;

impl Program for Count {
    type Record = QueueRecord;
    type Reply = Counts;

    const SCRIPT: &'static Script = &Script::new(
        "queue-count",
        Effect::Read,
        include_str!("../lua/count.lua"),
    );

    fn args(&self, _: &mut Args) {}

    fn reply(&self, wire: Wire) -> Result<Counts> {
        let [waiting, scheduled, running, dead, done, is_paused, oldest] = wire.array()?;
        Ok(Counts {
            waiting: waiting.read()?,
            scheduled: scheduled.read()?,
            running: running.read()?,
            dead: dead.read()?,
            done: done.read()?,
            is_paused: is_paused.read()?,
            oldest: Duration::from_micros(oldest.read()?),
        })
    }

    fn step(&self, record: &mut Slot<'_, QueueRecord>, now: Timestamp) -> Counts {
        let Some(held) = record.get() else {
            return Counts::default();
        };
        Counts {
            waiting: held.waiting() as u64,
            scheduled: held.scheduled.len() as u64,
            running: held.leased.len() as u64,
            dead: held.dead.len() as u64,
            done: held.done.len() as u64,
            is_paused: held.is_paused,
            oldest: Duration::from_micros(held.oldest(now.as_micros()).unsigned_abs()),
        }
    }
}

/// Lists jobs of one band, at most `many` and a megabyte of them, unless the first is longer.
#[derive(Clone, Debug)]
pub(crate) struct List {
    pub(crate) band: Band,
    pub(crate) from: Position,
    pub(crate) many: u32,
}

/// A place in a band.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The score of the last member. None at the beginning.
    score: Option<i64>,
    /// The number of members of that score that were already listed.
    seen: u32,
    /// The last member, for jobs in groups.
    member: Bytes,
}

/// A page of a band.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) rows: Vec<Row>,
    /// None if the band has no more.
    pub(crate) next: Option<Position>,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: Arc<str>,
    pub(crate) at: i64,
    /// None for jobs that are done, or damaged.
    pub(crate) held: Option<Held>,
}

/// A member of a band, with its job.
struct Member {
    member: Bytes,
    score: i64,
    id: Arc<str>,
    held: Option<Held>,
}

impl List {
    /// Makes a page of the found members.
    fn page(&self, has_more: bool, found: Vec<Member>) -> Listed {
        let next = found.last().filter(|_| has_more).map(|last| {
            let same = found.iter().rev().take_while(|it| it.score == last.score);
            let same = same.count() as u32;
            // All of them have the score at which the page began.
            let goes_on = same as usize == found.len() && self.from.score == Some(last.score);
            Position {
                score: Some(last.score),
                seen: same + if goes_on { self.from.seen } else { 0 },
                member: last.member.clone(),
            }
        });
        let jobs = found.into_iter().filter(|it| !it.member.starts_with(b"\0"));
        let rows = jobs.map(|it| Row {
            at: match (self.band, &it.held) {
                (Band::Ready | Band::InGroup, Some(held)) => held.due,
                _ => it.score - self.band.origin(),
            },
            id: it.id,
            held: it.held,
        });
        let rows = rows.collect();
        Listed { rows, next }
    }
}

impl Program for List {
    type Record = QueueRecord;
    type Reply = Listed;

    const SCRIPT: &'static Script =
        &Script::new("queue-list", Effect::Read, include_str!("../lua/list.lua"));

    fn args(&self, args: &mut Args) {
        (self.band, self.many).write(args);
        (self.from.score, self.from.seen).write(args);
        self.from.member.write(args);
    }

    fn reply(&self, wire: Wire) -> Result<Listed> {
        type Found = (Bytes, i64, Bytes, Option<Bytes>, Option<Bytes>);
        let (has_more, found): (bool, Vec<Found>) = wire.read()?;
        let member = |(member, score, id, text, body): Found| {
            let held = text.zip(body);
            Member {
                member,
                score,
                id: String::from_utf8_lossy(&id).into(),
                // A damaged job is listed by its id.
                held: held.and_then(|(text, body)| Held::read(&text, body).ok()),
            }
        };
        Ok(self.page(has_more, found.into_iter().map(member).collect()))
    }

    fn step(&self, record: &mut Slot<'_, QueueRecord>, _: Timestamp) -> Listed {
        let Some(held) = record.get() else {
            return self.page(false, Vec::new());
        };
        let job = |id: &Arc<str>| held.jobs.get(id).cloned();
        let many = self.many as usize;
        let mut found: Vec<_> = match held.set(self.band) {
            Some(set) => {
                let from = self.from.score.unwrap_or(i64::MIN);
                let members = set.from(from).skip(self.from.seen as usize).take(many);
                let members = members.map(|(score, id)| Member {
                    member: Bytes::copy_from_slice(id.as_bytes()),
                    score: *score,
                    id: id.clone(),
                    held: job(id),
                });
                members.collect()
            }
            None => {
                let members = held.in_groups_after(&self.from.member).take(many);
                let members = members.map(|(group, (class, place, id))| Member {
                    member: format!("w{group}\0{class}{place:016}{id}").into(),
                    score: 0,
                    id: id.clone(),
                    held: job(id),
                });
                members.collect()
            }
        };
        let is_full = found.len() == many;
        let lens = found
            .iter()
            .map(|it| it.held.as_ref().map_or(0, |held| held.body.len()));
        let sums = lens.scan(0, |sum, len| {
            *sum += len;
            Some(*sum)
        });
        let fit = sums.take_while(|sum| *sum <= STEP_BYTES).count().max(1);
        let is_cut = fit < found.len();
        found.truncate(fit);
        self.page(is_full || is_cut, found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_page_says_where_the_next_one_begins() {
        let member = |score, id: &'static str| Member {
            member: Bytes::from_static(id.as_bytes()),
            score,
            id: id.into(),
            held: None,
        };
        let list = |from| List {
            band: Band::Dead,
            from,
            many: 2,
        };
        let first = list(Position::default());
        assert_eq!(first.page(false, vec![member(1, "a")]).next, None);
        let next = first.page(true, vec![member(1, "a"), member(2, "b")]).next;
        let next = next.unwrap();
        assert_eq!(
            (next.score, next.seen, &*next.member),
            (Some(2), 1, &b"b"[..])
        );
        // It continues within the same score.
        let next = list(next)
            .page(true, vec![member(2, "c"), member(2, "d")])
            .next;
        let next = next.unwrap();
        assert_eq!((next.score, next.seen), (Some(2), 3));
    }

    #[test]
    fn an_available_job_is_listed_with_the_time_at_which_it_was_due() {
        let held = Held {
            class: 2,
            place: 1,
            attempts: 0,
            fence: 0,
            enqueued: 3,
            due: 7,
            mode: crate::record::Mode::None,
            key: None,
            group: None,
            reason: "".into(),
            progress: "".into(),
            body: Bytes::new(),
        };
        for (band, at) in [(Band::Ready, 7), (Band::InGroup, 7), (Band::Scheduled, -5)] {
            let list = List {
                band,
                from: Position::default(),
                many: 2,
            };
            let member = Member {
                member: Bytes::from_static(b"a"),
                score: -5,
                id: "a".into(),
                held: Some(held.clone()),
            };
            assert_eq!(list.page(false, vec![member]).rows[0].at, at);
        }
    }
}
