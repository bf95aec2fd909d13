//! Starts several servers at the same time.

use std::io;
use std::thread;

use super::error::StartError;
use super::node::RedisNode;
use super::options::RedisOptions;

/// Starts one server for each of the options, at the same time, and returns them in that order.
pub(super) fn start_together(options: &[RedisOptions]) -> Result<Vec<RedisNode>, StartError> {
    thread::scope(|scope| {
        let start = |options: &RedisOptions| {
            let options = options.clone();
            scope.spawn(|| RedisNode::start(options))
        };
        let starts: Vec<_> = options.iter().map(start).collect();
        // Wait for every start, so that after a failed one the others are ended too.
        let nodes: Vec<_> = starts.into_iter().map(|start| start.join()).collect();
        let panicked = || io::Error::other("its thread panicked");
        nodes
            .into_iter()
            .map(|node| node.unwrap_or_else(|_| Err(StartError::system("a start")(panicked()))))
            .collect()
    })
}
