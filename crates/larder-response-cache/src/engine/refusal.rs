/// Why a response is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The request is not a GET.
    Method,
    /// The status is not final, is that of a part, or depends on more than the key; `must-understand` is set
    /// and the status is unknown; or, in the safe profile, the response is marked as a part.
    Status,
    /// `no-store` in the request or in the response.
    NoStore,
    /// `private`.
    Private,
    /// The request has `Authorization`, and the response may not be shared.
    Authorization,
    /// The response sets a cookie, in the safe profile.
    SetCookie,
    /// The request has a cookie, and the response does not clearly permit reuse, in the safe profile.
    Cookie,
    /// The response varies with everything, with too many fields, or, in the safe profile, with the visitor.
    Vary,
    /// By its type it is an event stream, gRPC or several parts, or it announces trailers.
    Stream,
    /// `Cache-Control` cannot be read.
    Unreadable,
    /// Its `Content-Length` is not one number.
    Length,
    /// It is larger than may be stored.
    TooLarge,
    /// It has too many tags, or one that is too long or not ASCII.
    Tags,
    /// It could never be reused: it is stale, has no validator, and may not be served stale. Or neither it nor
    /// its status permits that it is stored without a declared lifetime.
    Useless,
}

impl Refusal {
    /// Returns the `detail` for `Cache-Status`.
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
            Self::Tags => "tags",
            Self::Useless => "useless",
        }
    }
}
