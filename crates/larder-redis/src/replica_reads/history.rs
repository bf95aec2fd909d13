use std::collections::VecDeque;
use std::time::Duration;

/// The number of recent moments that are remembered individually.
const RECENT: usize = 8;

/// The number of older moments that are remembered, at equal distances.
const OLDER: u32 = 8;
const MOST: usize = RECENT + OLDER as usize;

/// The offsets of a master over time.
#[derive(Debug)]
pub(super) struct History {
    /// The replication ID: offsets under another ID belong to another history.
    id: String,
    moments: VecDeque<Moment>,
    /// The minimum distance of older moments.
    apart: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) at: u64,
    pub(super) offset: u64,
}

impl History {
    /// Makes a history that can place replicas which are up to `max_staleness` behind.
    pub(super) fn new(max_staleness: Duration) -> Self {
        Self {
            id: String::new(),
            moments: VecDeque::with_capacity(MOST),
            apart: micros(max_staleness / OLDER),
        }
    }

    /// Records that the master, asked at `at`, had written `offset` bytes.
    pub(super) fn note(&mut self, id: &str, offset: u64, at: u64) {
        if self.id != id {
            id.clone_into(&mut self.id);
            self.moments.clear();
        }
        if self.moments.len() == MOST {
            self.forget_one();
        }
        self.moments.push_back(Moment { at, offset });
    }

    /// Forgets the moment that is no longer recent, or the first.
    fn forget_one(&mut self) {
        let at = |index: usize| self.moments.get(index).map_or(0, |moment| moment.at);
        let ageing = MOST - RECENT;
        match at(ageing).saturating_sub(at(ageing - 1)) < self.apart {
            true => self.moments.remove(ageing),
            false => self.moments.pop_front(),
        };
    }

    /// Returns the last moment whose writes are all among the first `offset` bytes under `id`.
    pub(super) fn covered_by(&self, id: &str, offset: u64) -> Option<Moment> {
        if self.id != id {
            return None;
        }
        let mut latest_first = self.moments.iter().rev();
        latest_first.find(|moment| moment.offset <= offset).copied()
    }
}

/// Counts the microseconds of a time, with a cap that leaves room for sums.
pub(super) fn micros(time: Duration) -> u64 {
    // Small enough that several of them can be added.
    const MOST: u64 = u64::MAX / 8;
    u64::try_from(time.as_micros()).map_or(MOST, |micros| micros.min(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn covered(history: &History, id: &str, offset: u64) -> Option<u64> {
        history.covered_by(id, offset).map(|moment| moment.at)
    }

    #[test]
    fn a_replica_is_as_fresh_as_the_last_moment_that_it_has_all_of() {
        let mut history = History::new(Duration::ZERO);
        for (at, offset) in [(1, 100), (2, 100), (3, 250), (4, 900)] {
            history.note("a", offset, at);
        }
        for (offset, moment) in [
            (99, None),
            (100, Some(2)),
            (249, Some(2)),
            (250, Some(3)),
            (1_000, Some(4)),
        ] {
            assert_eq!(covered(&history, "a", offset), moment, "{offset}");
        }
    }

    #[test]
    fn offsets_of_another_history_say_nothing() {
        let mut history = History::new(Duration::ZERO);
        assert_eq!(covered(&history, "", 9), None);
        history.note("a", 100, 1);
        assert_eq!(covered(&history, "b", 100), None);
        history.note("b", 50, 2);
        assert_eq!(covered(&history, "a", 100), None);
        assert_eq!(covered(&history, "b", 50), Some(2));
        assert_eq!(covered(&history, "b", 49), None);
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let mut history = History::new(Duration::ZERO);
        for at in 0..100 {
            history.note("a", at, at);
        }
        assert_eq!(history.moments.len(), MOST);
        assert_eq!(covered(&history, "a", 83), None);
        assert_eq!(covered(&history, "a", 84), Some(84));
    }

    #[test]
    fn all_that_is_allowed_is_remembered_however_often_the_master_is_asked() {
        let mut history = History::new(Duration::from_secs(600));
        for second in 0..2_000 {
            history.note("a", second, second * SECOND);
        }
        let now = 1_999;
        for behind in [0, 1, 7] {
            let offset = now - behind;
            assert_eq!(covered(&history, "a", offset), Some(offset * SECOND));
        }
        let behind = covered(&history, "a", now - 500).unwrap();
        assert!(behind >= (now - 600) * SECOND, "{behind}");
        assert!(history.moments.len() <= MOST);
    }
}
