/// What becomes of a request that uses its session while the store does not answer in time, or
/// answers with an error.
///
/// Either way nobody is ever let through as a user: [`require_user`](crate::Session::require_user)
/// fails, and so does whatever signs in or out. A request that does not use its session is never
/// concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnFailure {
    /// It is answered with 503, whatever the handler made of it: the session is part of what it says.
    Unavailable,
    /// It goes on without a session: reading finds nothing and nobody, and what was to be written at
    /// the end is dropped. The visitor's cookie stays, and the session with it.
    Anonymous,
}
