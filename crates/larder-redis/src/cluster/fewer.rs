use larder_store::{Error, ErrorKind, Result};

use super::discover::NAME;
use super::topology::Topology;
use crate::agreement::Agreement;

/// An answer that is not used at once.
pub(super) enum Doubted {
    /// It has fewer slots than the map.
    Fewer(Topology),
    /// There was none, or none that can be used.
    Failed(Error),
}

impl From<Error> for Doubted {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// The slots that are left when every node that answers knows fewer than the map has.
///
/// The map gives the others up once all have said so for long enough: their master was removed for good.
pub(super) struct Fewer(Agreement<Vec<bool>>);

impl Fewer {
    pub(super) fn new() -> Self {
        Self(Agreement::none())
    }

    /// Notes that a node knows as many slots as the map.
    pub(super) fn contradicted_by(&mut self, topology: Topology) -> Topology {
        self.0.note(None);
        topology
    }

    /// Returns the topology on which all answers of a round agree, once they have done so for long enough.
    ///
    /// Nodes that know even fewer slots do not contradict it, and one that knows none has left the cluster.
    ///
    /// # Errors
    /// The last failure, or that the nodes know too few slots.
    pub(super) fn settle(&mut self, doubted: Vec<Doubted>) -> Result<Topology> {
        let (mut topologies, mut failed) = (Vec::new(), None);
        for doubted in doubted {
            match doubted {
                Doubted::Fewer(topology) if topology.covered() > 0 => topologies.push(topology),
                Doubted::Fewer(_) => {}
                Doubted::Failed(error) => failed = Some(error),
            }
        }
        let others: Vec<_> = topologies.iter().map(Topology::served).collect();
        let widest = topologies.into_iter().max_by_key(Topology::covered);
        let left = widest.as_ref().map(Topology::served);
        let left = left.filter(|left| others.iter().all(|other| is_within(other, left)));
        if self.0.note(left)
            && let Some(topology) = widest
        {
            return Ok(topology);
        }
        Err(failed.unwrap_or_else(|| {
            let text = "the nodes know fewer slots than the cluster served";
            Error::new(NAME, ErrorKind::NotSent, text)
        }))
    }
}

fn is_within(slots: &[bool], others: &[bool]) -> bool {
    let mut both = slots.iter().zip(others);
    both.all(|(is_in, is_in_others)| !is_in || *is_in_others)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ::redis::Value;
    use tokio::time::advance;

    use super::*;
    use crate::agreement::ALL_AGREE;

    /// Makes the answer of a node: the ranges of slots, all of which the node at a port serves.
    fn says(ranges: &[(i64, i64)], port: i64) -> Doubted {
        let node = Value::Array(vec![Value::SimpleString("h".to_owned()), Value::Int(port)]);
        let range = |&(first, last): &(i64, i64)| {
            Value::Array(vec![Value::Int(first), Value::Int(last), node.clone()])
        };
        let answer = Value::Array(ranges.iter().map(range).collect());
        Doubted::Fewer(Topology::read(answer, "h").unwrap())
    }

    fn covered(outcome: Result<Topology>) -> Option<usize> {
        outcome.ok().map(|topology| topology.covered())
    }

    #[tokio::test(start_paused = true)]
    async fn slots_that_all_nodes_have_lost_are_given_up_when_they_agree_for_long() {
        let mut fewer = Fewer::new();
        let all_say = || {
            vec![
                says(&[(0, 9), (20, 99)], 1),
                // Whatever masters a slower node knows, and a node that knows less.
                says(&[(0, 9), (20, 99)], 2),
                says(&[(20, 29)], 2),
                says(&[], 3),
                Error::new(NAME, ErrorKind::NotSent, "no connection").into(),
            ]
        };
        assert_eq!(covered(fewer.settle(all_say())), None);
        advance(ALL_AGREE - Duration::from_millis(1)).await;
        assert_eq!(covered(fewer.settle(all_say())), None);
        advance(Duration::from_millis(1)).await;
        assert_eq!(covered(fewer.settle(all_say())), Some(90));
    }

    #[tokio::test(start_paused = true)]
    async fn a_contradiction_makes_the_agreement_begin_again() {
        type Contradict = fn(&mut Fewer);
        let contradictions: [Contradict; 4] = [
            // A node that knows all slots.
            |fewer| drop(fewer.contradicted_by(Topology::default())),
            // Two nodes that know different ones, and one that knows others than before.
            |fewer| drop(fewer.settle(vec![says(&[(0, 9)], 1), says(&[(5, 14)], 1)])),
            |fewer| drop(fewer.settle(vec![says(&[(0, 8)], 1)])),
            // Nobody answers.
            |fewer| drop(fewer.settle(Vec::new())),
        ];
        for contradict in contradictions {
            let mut fewer = Fewer::new();
            let mut all_say = || covered(fewer.settle(vec![says(&[(0, 9)], 1)]));
            assert_eq!(all_say(), None);
            advance(ALL_AGREE).await;
            contradict(&mut fewer);
            let mut all_say = || covered(fewer.settle(vec![says(&[(0, 9)], 1)]));
            assert_eq!(all_say(), None);
            advance(ALL_AGREE).await;
            assert_eq!(all_say(), Some(10));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cluster_without_any_slot_is_never_believed() {
        let mut fewer = Fewer::new();
        assert_eq!(covered(fewer.settle(vec![says(&[], 1)])), None);
        advance(ALL_AGREE).await;
        assert_eq!(covered(fewer.settle(vec![says(&[], 1)])), None);
    }
}
