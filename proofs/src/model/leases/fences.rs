use std::cmp::Ordering;

use larder_store::Timestamp;
use larder_store::lease::Fence;

use crate::model::arguments::Id;

/// A fence to pass, as it is drawn: stores number their leases differently, so a number would mean nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shown {
    /// One that was granted on the same key, counted back from the last.
    Granted(usize),
    /// The last that was granted on another key.
    OfOther(Id),
    /// One more than the last on the same key.
    Above,
    /// One less.
    Below,
    /// A fence that nobody was granted.
    MadeUp(u64),
}

/// One fence, by its number at the model and by that at the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Both {
    pub(crate) model: Fence,
    pub(crate) store: Fence,
}

impl Both {
    fn made_up(number: u64) -> Self {
        let fence = Fence::from_u64(number);
        Self {
            model: fence,
            store: fence,
        }
    }

    /// Returns the fences `by` above it, at both.
    fn moved(self, by: i64) -> Self {
        let moved = |fence: Fence| Fence::from_u64(fence.as_u64().saturating_add_signed(by));
        Self {
            model: moved(self.model),
            store: moved(self.store),
        }
    }

    /// Returns whether both have the same number on the model or on the store.
    ///
    /// A made-up number may be that of a real lease on only one of the two.
    fn is_taken_for(self, other: Self) -> bool {
        self.model == other.model || self.store == other.store
    }
}

/// The fences that were granted so far.
#[derive(Default)]
pub(crate) struct Fences(Vec<(Id, Both)>);

impl Fences {
    /// Returns the fence of `id` that was drawn, or a made-up one if there is none.
    pub(crate) fn shown(&self, id: Id, shown: Shown) -> Both {
        let nobody = Both::made_up(7);
        let last = self.last(id, 0);
        match shown {
            Shown::Granted(back) => self.last(id, back).unwrap_or(nobody),
            Shown::OfOther(other) => {
                let other = self.last(other, 0).unwrap_or(nobody);
                match last.is_some_and(|last| other.is_taken_for(last)) {
                    true => nobody,
                    false => other,
                }
            }
            Shown::Above => last.map_or(nobody, |last| last.moved(1)),
            Shown::Below => last.map_or(nobody, |last| last.moved(-1)),
            Shown::MadeUp(number) => Both::made_up(number),
        }
    }

    fn last(&self, id: Id, back: usize) -> Option<Both> {
        self.of(id).rev().nth(back)
    }

    fn of(&self, id: Id) -> impl DoubleEndedIterator<Item = Both> {
        let of_key = self.0.iter().filter(move |(of, _)| *of == id);
        of_key.map(|(_, both)| *both)
    }

    /// Remembers a fence that both granted on `id`.
    ///
    /// Returns whether it compares to each earlier fence alike on the store and on the model.
    pub(crate) fn grant(&mut self, id: Id, granted: Both, now: Option<Timestamp>) -> bool {
        let is_alike = self.standing(id, granted.model, now, |both| both.model)
            == self.standing(id, granted.store, now, |both| both.store);
        self.0.push((id, granted));
        is_alike
    }

    fn standing(
        &self,
        id: Id,
        fence: Fence,
        now: Option<Timestamp>,
        side: impl Fn(Both) -> Fence,
    ) -> (Vec<Ordering>, bool) {
        let earlier = self.of(id).map(|both| fence.cmp(&side(both))).collect();
        let is_behind = now.is_some_and(|now| fence < Fence::after(None, now));
        (earlier, is_behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Id = Id::Value(1);
    const OTHER: Id = Id::Value(2);

    fn both(model: u64, store: u64) -> Both {
        Both {
            model: Fence::from_u64(model),
            store: Fence::from_u64(store),
        }
    }

    #[test]
    fn fences_may_differ_in_their_numbers_and_not_in_their_order() {
        let mut fences = Fences::default();
        assert!(fences.grant(ID, both(10, 100), None));
        assert!(fences.grant(OTHER, both(10, 7), None));
        assert!(fences.grant(ID, both(11, 900), None));
        assert!(!fences.grant(ID, both(12, 900), None));
        assert!(!fences.grant(ID, both(13, 99), None));
    }

    #[test]
    fn a_fence_behind_the_clock_is_noticed() {
        let now = Some(Timestamp::from_micros(10));
        assert!(Fences::default().grant(ID, both(10, 11), now));
        assert!(!Fences::default().grant(ID, both(10, 9), now));
        assert!(Fences::default().grant(ID, both(10, 9), None));
    }

    #[test]
    fn the_fence_of_another_key_is_never_one_that_holds_this_one() {
        let mut fences = Fences::default();
        fences.grant(ID, both(10, 100), None);
        for (other, shown) in [((10, 101), 7), ((9, 100), 7), ((11, 101), 11)] {
            fences.grant(OTHER, both(other.0, other.1), None);
            let shown_now = fences.shown(ID, Shown::OfOther(OTHER)).model.as_u64();
            assert_eq!(shown_now, shown);
        }
    }
}
