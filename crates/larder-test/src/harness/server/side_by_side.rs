//! Starts several servers side by side.

use std::io;
use std::thread;

use super::error::StartError;
use super::node::RedisNode;
use super::options::RedisOptions;

/// Starts one server for each of the options, in their order.
pub(super) fn start_together(options: &[RedisOptions]) -> Result<Vec<RedisNode>, StartError> {
    thread::scope(|scope| {
        let start = |options: &RedisOptions| {
            let options = options.clone();
            scope.spawn(|| RedisNode::start(options))
        };
        let starts: Vec<_> = options.iter().map(start).collect();
        // Every start is waited for, so that a failed one leaves no other behind.
        let nodes: Vec<_> = starts.into_iter().map(|start| start.join()).collect();
        let panicked = || io::Error::other("its thread panicked");
        nodes
            .into_iter()
            .map(|node| node.unwrap_or_else(|_| Err(StartError::system("a start")(panicked()))))
            .collect()
    })
}
