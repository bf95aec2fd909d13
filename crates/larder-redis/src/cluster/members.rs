use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::topology::Topology;
use crate::connection::{Address, Limits, Member, Node, Place, Target};

/// The most nodes that a store keeps lines to. The specification asks for no more than 1,000 in a
/// cluster.
const MOST: usize = 2_000;

/// The nodes of a cluster that are in use, each with its own line, limits and supervisor.
///
/// A node that stays in the cluster keeps its line and all that waits on it, whatever becomes of the
/// others. One that is no longer named ends with the last operation on it.
pub(super) struct Members {
    /// How we log in, at whichever host.
    template: Address,
    limits: Limits,
    /// The runtime of the store: what is begun in another one would end with that.
    runtime: Handle,
    /// Told when a line is lost.
    alarm: Arc<Notify>,
    known: Mutex<HashMap<Place, Known>>,
}

struct Known {
    member: Arc<Member>,
    /// Somebody was sent there since the last look. A node that a slot moves to is in no map before
    /// its first slot is there.
    is_asked: bool,
}

impl Members {
    pub(super) fn new(template: Address, limits: Limits, alarm: Arc<Notify>) -> Self {
        Self {
            template,
            limits,
            runtime: Handle::current(),
            alarm,
            known: Mutex::default(),
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The node at `place`, which is dialed where it was not known; operations wait for its line.
    /// Nothing where there are too many.
    pub(super) fn at(&self, place: &Place) -> Option<Arc<Member>> {
        let mut known = self.known.lock();
        if let Some(known) = known.get_mut(place) {
            known.is_asked = true;
            return Some(known.member.clone());
        }
        if known.len() >= MOST {
            return None;
        }
        let member = Arc::new(self.dial(place));
        let added = Known {
            member: member.clone(),
            is_asked: true,
        };
        known.insert(place.clone(), added);
        Some(member)
    }

    fn dial(&self, place: &Place) -> Member {
        let node = self.node(place);
        let node = node.in_cluster(place.host.clone(), self.alarm.clone());
        let _entered = self.runtime.enter();
        Member::new(Arc::new(node))
    }

    /// A node that nobody supervises.
    pub(super) fn node(&self, place: &Place) -> Node {
        Node::at(place, &self.template, self.limits, Target::Fixed)
    }

    /// Lets go of those that `topology` does not name, and that nobody was sent to since this was
    /// called last.
    pub(super) fn retain(&self, topology: &Topology) {
        let keep = |place: &Place, known: &mut Known| {
            std::mem::take(&mut known.is_asked) || topology.names(place)
        };
        self.known.lock().retain(|place, known| keep(place, known));
    }

    /// All of them, in no order.
    pub(super) fn all(&self) -> Vec<(Place, Arc<Member>)> {
        let known = self.known.lock();
        let each = known.iter();
        each.map(|(place, known)| (place.clone(), known.member.clone()))
            .collect()
    }
}
