use std::cmp::Ordering;

use larder_store::Timestamp;
use larder_store::lease::Fence;

use crate::model::arguments::Id;

/// A fence to pass, as it is drawn: stores number their leases differently, so a number would mean nothing.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
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
pub struct Both {
    /// At the model.
    pub model: Fence,
    /// At the store.
    pub store: Fence,
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
pub struct Fences(Vec<(Id, Both)>);

impl Fences {
    /// Returns the fence of `id` that was drawn, or a made-up one if there is none.
    pub fn shown(&self, id: Id, shown: Shown) -> Both {
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
    pub fn grant(&mut self, id: Id, granted: Both, now: Option<Timestamp>) -> bool {
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
