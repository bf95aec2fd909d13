use std::fmt;
use std::sync::Arc;

/// Why [`get_or_load`](crate::Cache::get_or_load) returned no value.
///
/// No value was cached, and the next call loads again, except after [`NotFound`](Self::NotFound) with a
/// [negative TTL](crate::CacheBuilder::with_negative_ttl): then the absence is cached. All callers that
/// waited for one load get the same error. `Display` and `Debug` show no key, no value and no error of the
/// loader: the latter is in the variant, and is the [`source`](std::error::Error::source).
///
/// [The page of errors](https://github.com/larder-rs/larder/blob/main/docs/errors.md#the-typed-cache)
/// says what to do about each.
#[non_exhaustive]
pub enum LoadError<E> {
    /// The loader returned this error, which all callers of the load share.
    Loader(Arc<E>),
    /// The loader panicked.
    Panicked,
    /// The load timeout passed. If the loader was still running, it was dropped.
    TimedOut,
    /// The maximum number of loads is running. This one did not begin, so a retry is safe.
    Overloaded,
    /// The load was dropped before its end, because its runtime is shutting down.
    Abandoned,
    /// The source has no such value: the loader found that now, or within the negative TTL.
    NotFound,
    /// The loader of this key requested the key itself, directly or through another load, and would
    /// have waited for itself.
    Recursive,
}

impl<E> LoadError<E> {
    /// Returns whether the source has no such value.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound)
    }

    /// Returns the error of the loader, or None for any other failure.
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
            Self::NotFound => Self::NotFound,
            Self::Recursive => Self::Recursive,
        }
    }
}

impl<E> fmt::Display for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loader(_) => "load: the loader failed",
            Self::Panicked => "load: the loader panicked",
            Self::TimedOut => {
                "load: the loader did not finish within the load timeout: see with_load_timeout"
            }
            Self::Overloaded => {
                "load: too many loads are running: try again later, or raise with_max_loads"
            }
            Self::Abandoned => "load: its runtime is shutting down",
            Self::NotFound => "load: the source has no such value",
            Self::Recursive => {
                "load: the loader of this key asks for the key itself, directly or through \
                 another load: read what it needs from the source"
            }
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
            Self::NotFound => "NotFound",
            Self::Recursive => "Recursive",
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
