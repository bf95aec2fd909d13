use std::future::Future;

use crate::KeyId;

/// Knows which user sent a request: what a layer puts among its extensions for those further in.
///
/// Layers that share no other crate meet here: a session that knows the user, and a rate limit that
/// charges one.
///
/// ```
/// use larder_store::Identity;
///
/// /// The user whom a checked token names.
/// #[derive(Clone)]
/// struct Token {
///     user: u64,
/// }
///
/// impl Identity for Token {
///     type User = u64;
///
///     async fn identify(&self) -> Option<u64> {
///         Some(self.user)
///     }
/// }
/// ```
pub trait Identity: Clone + Send + Sync + 'static {
    /// The user's id.
    type User: KeyId;

    /// The user who sent the request; None if nobody is signed in, and if that cannot be told.
    ///
    /// # Cancellation
    /// A dropped call has no effect.
    fn identify(&self) -> impl Future<Output = Option<Self::User>> + Send;
}
