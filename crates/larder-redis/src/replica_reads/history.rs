use std::collections::VecDeque;

/// How many moments are remembered: those within what is allowed, and some more.
const MOST: usize = 16;

/// How much a master had written, by when it was asked.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The replication ID: offsets under another one are of another history.
    id: String,
    moments: VecDeque<Moment>,
}

#[derive(Debug)]
struct Moment {
    at: u64,
    offset: u64,
}

impl History {
    /// Takes down that the master, asked at `at`, had written `offset` bytes.
    pub(super) fn note(&mut self, id: &str, offset: u64, at: u64) {
        if self.id != id {
            id.clone_into(&mut self.id);
            self.moments.clear();
        }
        if self.moments.len() == MOST {
            self.moments.pop_front();
        }
        self.moments.push_back(Moment { at, offset });
    }

    /// The last moment whose writes are all among the first `offset` bytes under `id`.
    pub(super) fn covered_by(&self, id: &str, offset: u64) -> Option<u64> {
        if self.id != id {
            return None;
        }
        let mut latest_first = self.moments.iter().rev();
        let covered = latest_first.find(|moment| moment.offset <= offset);
        covered.map(|moment| moment.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_as_fresh_as_the_last_moment_that_it_has_all_of() {
        let mut history = History::default();
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
            assert_eq!(history.covered_by("a", offset), moment, "{offset}");
        }
    }

    #[test]
    fn offsets_of_another_history_say_nothing() {
        let mut history = History::default();
        assert_eq!(history.covered_by("", 9), None);
        history.note("a", 100, 1);
        assert_eq!(history.covered_by("b", 100), None);
        history.note("b", 50, 2);
        assert_eq!(history.covered_by("a", 100), None);
        assert_eq!(history.covered_by("b", 50), Some(2));
        assert_eq!(history.covered_by("b", 49), None);
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let mut history = History::default();
        for at in 0..100 {
            history.note("a", at, at);
        }
        assert_eq!(history.moments.len(), MOST);
        assert_eq!(history.covered_by("a", 83), None);
        assert_eq!(history.covered_by("a", 84), Some(84));
    }
}
