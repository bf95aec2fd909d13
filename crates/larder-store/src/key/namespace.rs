use super::name::check_name;
use crate::Error;

/// The environment and the app that own keys, as in `prod:matinee:`.
///
/// Give each app that shares a server a namespace of its own, so that their keys never collide.
///
/// ```
/// use larder_store::Namespace;
///
/// assert_eq!(Namespace::new("prod", "matinee")?.prefix(), "prod:matinee:");
/// assert!(Namespace::new("prod", "mati:nee").is_err());
/// # Ok::<(), larder_store::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace(String);

impl Namespace {
    /// Makes the namespace of `app` in `environment`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if one of them is not 1 to 32 of
    /// `a-z`, `0-9`, `-`, `_` and `.`.
    pub fn new(environment: &str, app: &str) -> Result<Self, Error> {
        check_name("the environment", environment)?;
        check_name("the app", app)?;
        Ok(Self(format!("{environment}:{app}:")))
    }

    /// Returns the prefix of every key.
    pub fn prefix(&self) -> &str {
        &self.0
    }
}
