/// Why a response is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The request is no GET.
    Method,
    /// The status is not final, is a part, depends on more than the key, or `must-understand` asks
    /// for more than is known of it.
    Status,
    /// `no-store` in the request or in the response.
    NoStore,
    /// `private`, in a shared cache.
    Private,
    /// The request has `Authorization`, and the response does not permit to share it.
    Authorization,
    /// The response sets a cookie, in the safe profile.
    SetCookie,
    /// The request has a cookie, and the response does not say that it may be reused, in the safe
    /// profile.
    Cookie,
    /// The response varies with everything, with too much, or, in the safe profile, with the
    /// visitor.
    Vary,
    /// It is a stream, a gRPC response, or an upgrade.
    Stream,
    /// `Cache-Control` cannot be taken apart.
    Unreadable,
    /// Its `Content-Length` is no number, or several.
    Length,
    /// It is larger than may be stored.
    TooLarge,
    /// It could never be reused: it is stale, and nothing permits to validate it or to serve it
    /// stale.
    Useless,
}

impl Refusal {
    /// A word for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Status => "status",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::SetCookie => "set-cookie",
            Self::Cookie => "cookie",
            Self::Vary => "vary",
            Self::Stream => "stream",
            Self::Unreadable => "unreadable",
            Self::Length => "content-length",
            Self::TooLarge => "too-large",
            Self::Useless => "useless",
        }
    }
}
