//! Finds loads that wait for each other.

use std::collections::HashMap;
use std::future::Future;

use parking_lot::Mutex;

/// Names a load that is running: the cache by its address, and the hash of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) cache: usize,
    pub(crate) key: u64,
}

tokio::task_local! {
    /// The load that runs in this task.
    static CURRENT: Node;
}

/// Which loads wait for which others. Empty unless a loader calls a cache.
static WAITS: Mutex<Option<HashMap<Node, Vec<Node>>>> = Mutex::new(None);

/// A load that waits for another. Dropping it ends the wait.
pub(crate) struct Wait(Option<(Node, Node)>);

/// Runs a loader, so that the caches that it calls know which load it is.
pub(crate) fn within<F: Future>(node: Node, load: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(node, load)
}

/// Notes that the current load, if there is one, waits for the load `of`.
///
/// None if it would wait for itself, directly or through others.
pub(crate) fn wait(of: Node) -> Option<Wait> {
    let Ok(current) = CURRENT.try_with(|node| *node) else {
        return Some(Wait(None));
    };
    let mut waits = WAITS.lock();
    let waits = waits.get_or_insert_default();
    if leads_to(waits, of, current) {
        return None;
    }
    waits.entry(current).or_default().push(of);
    Some(Wait(Some((current, of))))
}

/// Notes that everyone who waits for `from` waits for `of`: the load of a batch that has the key.
pub(crate) fn link(from: Node, of: Node) -> Wait {
    let mut waits = WAITS.lock();
    let waits = waits.get_or_insert_default();
    waits.entry(from).or_default().push(of);
    Wait(Some((from, of)))
}

/// Returns whether `from` is `to`, or waits for it.
fn leads_to(waits: &HashMap<Node, Vec<Node>>, from: Node, to: Node) -> bool {
    let (mut seen, mut next) = (Vec::new(), vec![from]);
    while let Some(node) = next.pop() {
        if node == to {
            return true;
        }
        if !seen.contains(&node) {
            seen.push(node);
            next.extend(waits.get(&node).into_iter().flatten());
        }
    }
    false
}

impl Drop for Wait {
    fn drop(&mut self) {
        let Some((from, of)) = self.0 else { return };
        let mut waits = WAITS.lock();
        let waits = waits.get_or_insert_default();
        if let Some(all) = waits.get_mut(&from) {
            if let Some(at) = all.iter().position(|one| *one == of) {
                all.swap_remove(at);
            }
            if all.is_empty() {
                waits.remove(&from);
            }
        }
    }
}
