//! The pace of the sentinels' checks.

use crate::harness::server::node::RedisNode;

/// Milliseconds between two questions to a server, and between two words to other sentinels.
pub(super) struct Pace {
    info: &'static str,
    publish: &'static str,
}

/// While something waits for them to know everybody.
pub(super) const HURRY: Pace = Pace {
    info: "100",
    publish: "100",
};

/// The normal pace.
pub(super) const CALM: Pace = Pace {
    info: "10000",
    publish: "2000",
};

/// Sets the pace of those that run. One that does not know the command, which came with Redis 7,
/// keeps its own, and everything just takes longer.
pub(super) fn set(sentinels: &[RedisNode], pace: &Pace) {
    for sentinel in sentinels.iter().filter(|it| it.is_running()) {
        let command = ["SENTINEL", "DEBUG", "INFO-PERIOD", pace.info];
        let _ = sentinel.command(&command);
        let command = ["SENTINEL", "DEBUG", "PUBLISH-PERIOD", pace.publish];
        let _ = sentinel.command(&command);
    }
}
