use std::ops::Deref;
use std::sync::Arc;

use super::node::Node;
use super::supervisor::Supervisor;

/// A node whose connection is replaced when it breaks. The task that does it ends with this.
pub(crate) struct SupervisedNode {
    node: Arc<Node>,
    _supervisor: Supervisor,
}

impl SupervisedNode {
    /// Starts to supervise `node`, in the runtime that this is called in.
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self {
            _supervisor: Supervisor::start(node.clone()),
            node,
        }
    }
}

impl Drop for SupervisedNode {
    fn drop(&mut self) {
        self.node.set_down(false);
    }
}

impl Deref for SupervisedNode {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}
