/// Why a request bypasses the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BypassReason {
    /// Its method is neither GET nor HEAD.
    Method,
    /// Its host is missing or ambiguous, or its URI is too long.
    TargetUri,
    /// It has content.
    RequestBody,
    /// It says `no-store`.
    NoStore,
    /// It has more key fields than a key has room for.
    KeyFields,
    /// It asks for another protocol.
    Upgrade,
    /// It has a precondition that only the origin can check.
    Precondition,
    /// It waits for the origin's consent before it sends its content.
    Expect,
    /// It asks for the changes since a version that it has.
    Delta,
    /// It asks for an event stream.
    EventStream,
    /// It is gRPC, which does not use caches.
    Grpc,
    /// Its `Connection` names headers for a proxy to remove.
    Connection,
    /// It asks for another method or path than its own.
    Override,
}

impl BypassReason {
    /// Returns the `detail` for `Cache-Status`, or None if the response is left unchanged.
    pub(crate) fn as_str(self) -> Option<&'static str> {
        Some(match self {
            Self::Method => "method",
            Self::TargetUri => "target-uri",
            Self::RequestBody => "request-body",
            Self::NoStore => "no-store",
            Self::KeyFields => "key-fields",
            Self::Upgrade => "upgrade",
            Self::Precondition => "precondition",
            Self::Expect => "expect",
            Self::Delta => "a-im",
            Self::EventStream => "event-stream",
            Self::Connection => "connection",
            Self::Override => "method-override",
            Self::Grpc => return None,
        })
    }
}
