/// How requests that use their session are answered while the store fails or is too slow.
///
/// In either case nobody is treated as signed in: [`require_user`](crate::Session::require_user)
/// fails, and so do signing in and signing out. Requests that do not use their session are not
/// affected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnFailure {
    /// With 503, whatever the handler returned, because its response depends on the session. The
    /// default.
    #[default]
    Unavailable,
    /// As if there were no session: reads find nothing, and changes at the end of the request are
    /// dropped. The visitor keeps the cookie and the session. After a write whose answer was lost, that holds
    /// for the rest of the request. Changes are dropped as well if they would begin a session beyond
    /// [`Sessions::with_max_new_per_second`](crate::Sessions::with_max_new_per_second). A response whose changes no
    /// longer fit into the session is replaced by an error in either case.
    Anonymous,
}
