/// How closely the cache follows RFC 9111.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// RFC 9111, except where it has leaked one visitor's data to another. The default.
    ///
    /// These responses are never stored: one with `Set-Cookie`; one that varies with `Cookie` or
    /// `Authorization`; one to a request with `Cookie` that does not clearly permit reuse, by `public` or by
    /// an explicit lifetime; one that is marked as a part; and one that could never be served to a usual
    /// request. The fields of a visitor's rate limit, such as `RateLimit` and `X-RateLimit-Remaining`, are not
    /// stored with a response. A client's preconditions are applied by the cache, so that a response that is not
    /// stored yet is fetched completely.
    #[default]
    Safe,
    /// RFC 9111 to the letter, for a proxy.
    ///
    /// There are two exceptions. Ranges are only served from complete stored responses, and `no-store` counts
    /// even beside `must-understand`.
    Rfc,
}
