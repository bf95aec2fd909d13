/// Why the cache has nothing to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BypassReason {
    /// Its method is not GET or HEAD.
    Method,
    /// It has no host, or its host is in doubt, or its URI is too long.
    TargetUri,
    /// It has content.
    RequestBody,
    /// It says `no-store`.
    NoStore,
    /// It claims more than a key has room for.
    KeyFields,
    /// It asks for another protocol.
    Upgrade,
    /// It sets a condition that only the origin can check.
    Precondition,
    /// It expects something of the origin before it sends on.
    Expect,
    /// It asks for what has changed since a version that it has.
    Delta,
    /// It asks for an event stream.
    EventStream,
    /// It is gRPC, which says nothing of caches.
    Grpc,
    /// Its `Connection` names fields for a proxy to take away.
    Connection,
    /// It asks for another method or path than its own.
    Override,
}

impl BypassReason {
    /// A word for `Cache-Status`. None if the response is left as it is.
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
