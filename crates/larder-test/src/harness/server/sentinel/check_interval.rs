//! How often the sentinels check the servers and each other.

use crate::harness::server::node::RedisNode;

/// The milliseconds between two `INFO` to a server, and between two messages to other sentinels.
pub(super) struct Pace {
    info: &'static str,
    publish: &'static str,
}

/// The pace while the harness waits for the sentinels to find each other.
pub(super) const HURRY: Pace = Pace {
    info: "100",
    publish: "100",
};

/// The normal pace.
pub(super) const CALM: Pace = Pace {
    info: "10000",
    publish: "2000",
};

/// Sets the pace of the running sentinels.
///
/// A sentinel older than Redis 7 does not have the command. It keeps its pace, and the wait takes longer.
pub(super) fn set(sentinels: &[RedisNode], pace: &Pace) {
    for sentinel in sentinels.iter().filter(|it| it.is_running()) {
        let command = ["SENTINEL", "DEBUG", "INFO-PERIOD", pace.info];
        let _ = sentinel.command(&command);
        let command = ["SENTINEL", "DEBUG", "PUBLISH-PERIOD", pace.publish];
        let _ = sentinel.command(&command);
    }
}
