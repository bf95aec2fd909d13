use std::future::Future;

use crate::KeyId;

/// Identifies the user who sent a request.
///
/// A layer puts it into the request's extensions for the layers inside it.
///
/// So layers that share no other crate can work together: a session knows the user, and a rate
/// limit charges that user.
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

    /// Returns the user who sent the request, or None if that is not known.
    ///
    /// # Cancellation
    /// A dropped call has no effect.
    fn identify(&self) -> impl Future<Output = Option<Self::User>> + Send;
}
