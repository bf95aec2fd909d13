use std::fmt;
use std::sync::Arc;

/// Why [`get_or_load`](crate::Cache::get_or_load) gave no value. Nothing was cached, and the next
/// call loads again.
///
/// All callers who waited for one load get the same error. Neither `Display` nor `Debug` shows a
/// key, a value, or the loader's error: that one is the
/// [`source`](std::error::Error::source), or in the variant.
#[non_exhaustive]
pub enum LoadError<E> {
    /// The loader returned this error, shared by all who waited for it.
    Loader(Arc<E>),
    /// The loader panicked.
    Panicked,
    /// The deadline of the load passed. If the loader was still running, it was dropped.
    TimedOut,
    /// As many loads as the cache allows are running already. This one was not begun; asking again
    /// in a moment is safe.
    Overloaded,
    /// The load was dropped before its end: its runtime is shutting down.
    Abandoned,
}

impl<E> LoadError<E> {
    /// The loader's own error, if that is what it is.
    pub fn loader(&self) -> Option<&Arc<E>> {
        match self {
            Self::Loader(error) => Some(error),
            _ => None,
        }
    }
}

impl<E> Clone for LoadError<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Loader(error) => Self::Loader(error.clone()),
            Self::Panicked => Self::Panicked,
            Self::TimedOut => Self::TimedOut,
            Self::Overloaded => Self::Overloaded,
            Self::Abandoned => Self::Abandoned,
        }
    }
}

impl<E> fmt::Display for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loader(_) => "load: the loader failed",
            Self::Panicked => "load: the loader panicked",
            Self::TimedOut => "load: the deadline passed",
            Self::Overloaded => "load: too many loads are running",
            Self::Abandoned => "load: the runtime is shutting down",
        })
    }
}

impl<E> fmt::Debug for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loader(_) => "Loader(..)",
            Self::Panicked => "Panicked",
            Self::TimedOut => "TimedOut",
            Self::Overloaded => "Overloaded",
            Self::Abandoned => "Abandoned",
        })
    }
}

impl<E: std::error::Error + 'static> std::error::Error for LoadError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Loader(error) => Some(&**error),
            _ => None,
        }
    }
}
