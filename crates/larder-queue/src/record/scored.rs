use std::collections::BTreeSet;
use std::sync::Arc;

use super::Map;

/// Members ordered by score, and by bytes where scores are equal, like a sorted set of Redis.
#[derive(Debug, Default)]
pub(super) struct Scored {
    scores: Map<Arc<str>, i64>,
    order: BTreeSet<(i64, Arc<str>)>,
}

impl Scored {
    pub(super) fn len(&self) -> usize {
        self.scores.len()
    }

    pub(super) fn score(&self, member: &str) -> Option<i64> {
        self.scores.get(member).copied()
    }

    /// Adds a member, or moves it.
    pub(super) fn insert(&mut self, score: i64, member: &Arc<str>) {
        if let Some(before) = self.scores.insert(member.clone(), score) {
            self.order.remove(&(before, member.clone()));
        }
        self.order.insert((score, member.clone()));
    }

    pub(super) fn remove(&mut self, member: &str) -> Option<i64> {
        let (member, score) = self.scores.remove_entry(member)?;
        self.order.remove(&(score, member));
        Some(score)
    }

    pub(super) fn first(&self) -> Option<&(i64, Arc<str>)> {
        self.order.first()
    }

    /// Returns the first members, at most `many`, whose scores are at most `most`.
    pub(super) fn first_up_to(&self, most: i64, many: usize) -> Vec<Arc<str>> {
        let due = self.order.iter().take_while(|(score, _)| *score <= most);
        due.take(many).map(|(_, member)| member.clone()).collect()
    }

    /// Returns the members from a score on, in order.
    pub(super) fn from(&self, score: i64) -> impl Iterator<Item = &(i64, Arc<str>)> {
        self.order.range((score, Arc::from(""))..)
    }

    /// Returns the first member whose score is at least `low` and below `high`.
    pub(super) fn first_between(&self, low: i64, high: i64) -> Option<&Arc<str>> {
        let (score, member) = self.from(low).next()?;
        (*score < high).then_some(member)
    }
}

#[cfg(test)]
mod tests {
    use super::Scored;

    #[test]
    fn the_first_between_two_scores_is_below_the_second() {
        let mut scored = Scored::default();
        scored.insert(7, &"ann".into());
        let first = |low, high| scored.first_between(low, high).map(|it| &**it);
        assert_eq!(first(7, 8), Some("ann"));
        assert_eq!(first(0, 7), None);
        assert_eq!(first(8, 9), None);
    }
}
