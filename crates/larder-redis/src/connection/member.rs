use std::ops::Deref;
use std::sync::Arc;

use super::node::Node;
use super::supervisor::Supervisor;

/// A node whose line is replaced when it breaks. The task that does it ends with this.
pub(crate) struct Member {
    node: Arc<Node>,
    _supervisor: Supervisor,
}

impl Member {
    /// Starts to supervise `node`, in the runtime that this is called in.
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self {
            _supervisor: Supervisor::start(node.clone()),
            node,
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.node.set_down(false);
    }
}

impl Deref for Member {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}
