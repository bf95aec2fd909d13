/// How near to the letter of RFC 9111 the cache stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// The letter, less what has leaked one visitor's data to another. Never stored are a response
    /// with `Set-Cookie`, one that varies with `Cookie` or `Authorization`, and one to a request
    /// with `Cookie` that does not say plainly that it may be reused: by `public`, or by a time in
    /// which it is fresh. Nor is one that says it is a part, or one that no usual request could be served.
    /// A client's conditions are checked here, so that what is not stored is fetched whole.
    #[default]
    Safe,
    /// RFC 9111 to the letter, but for ranges, which are stored only as parts of a whole, and for
    /// `no-store`, which always counts.
    Rfc,
}

/// Whether the responses are kept for everybody or for one user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// For everybody: a proxy, a server.
    #[default]
    Shared,
    /// For one user: `private` may be stored, and `s-maxage` and `proxy-revalidate` mean nothing.
    Private,
}
