#![doc = include_str!("../README.md")]

mod arguments;
mod body;
mod cached;
mod declared;
mod function;
mod invalidates;
mod key;
mod names;
mod options;
mod output;
mod references;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;

/// Caches the return value of an async function or method.
///
/// The body becomes the loader of [`get_or_load`]: it runs on a miss, once for all callers of a key. Callers get a
/// shared value, and an error that also covers the other failures of a load:
///
/// | the body returns | callers get | cached |
/// |---|---|---|
/// | `Result<V, E>` | `Result<Arc<V>, LoadError<E>>` | `Ok` |
/// | `Option<V>` | `Result<Option<Arc<V>>, LoadError<Infallible>>` | `Some`; `None` for the negative TTL, if the cache has one |
/// | `Result<Option<V>, E>` | `Result<Option<Arc<V>>, LoadError<E>>` | the same |
/// | `V` | `Result<Arc<V>, LoadError<Infallible>>` | always |
///
/// A type whose name ends in `Result` counts as one, for example `io::Result<V>` or `type FilmResult<E> =
/// Result<Film, E>`. Behind such an alias, an `Option` must be its first argument: in `type FilmResult =
/// Result<Option<Film>, E>` it is a value like any other. A type of your own that is not a `Result`, such as
/// `SearchResult`, needs an alias with another name. Instead of `V` the body may return
/// [`Loaded<V>`], which chooses how long the value is kept.
///
/// # Options
/// - `cache = EXPR`, required: the cache, such as `self.films`.
/// - `key = EXPR`: the key, whose type EXPR must tell: `String::from(name)`, not `name.into()`. Default: the argument,
///   or a tuple of the arguments, without `self`.
/// - `ttl = EXPR`: the [`Ttl`] of each value. Default: the cache's.
/// - `tags = EXPR`: the tags of each value, such as `["films", &format!("film {id}")]`.
/// - `cache_none`: caches `None` too. The values of the cache are then of type `Option<V>`.
///
/// A near hit evaluates only `cache` and `key`.
///
/// # Arguments
/// The load runs in a task of its own, so that no caller cancels it. So everything that the body borrows is copied
/// on a miss: `self` and each argument that is a reference are cloned with [`ToOwned`], and must be cheap to
/// clone, like an `Arc`. An argument of another type is moved, or cloned if `cache` mentions it too. A `&'static`
/// reference is kept as it is.
///
/// # Recursion
/// A function that calls itself does not compile: its load would wait for a load of its own. If a method only calls
/// another one of the same name, give it another name. If it requests its
/// own key indirectly, it gets [`LoadError::Recursive`] at once.
///
/// # Example
/// ```
/// use larder_cache::Cache;
/// use larder_macros::cached;
/// use larder_store::{Kind, Ttl};
/// # #[derive(Clone, Default)]
/// # struct Database;
/// # impl Database {
/// #     async fn title(&self, _: u32) -> std::io::Result<String> { Ok("Metropolis".to_owned()) }
/// # }
///
/// #[derive(Clone)]
/// struct Films {
///     titles: Cache<u32, String>,
///     database: Database,
/// }
///
/// impl Films {
///     #[cached(cache = self.titles, key = id)]
///     async fn title(&self, id: u32) -> std::io::Result<String> {
///         self.database.title(id).await
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// const TITLE: Kind = Kind::evictable("title");
/// let titles = Cache::builder(TITLE, Ttl::from_secs(300)).build()?;
/// let films = Films { titles, database: Database::default() };
/// assert_eq!(*films.title(7).await?, "Metropolis");
/// # Ok(())
/// # }
/// ```
///
/// A recursive function is refused:
///
/// ```compile_fail
/// # use larder_cache::Cache;
/// # use larder_macros::cached;
/// #[cached(cache = sums, key = n)]
/// async fn sum(sums: &Cache<u64, u64>, n: u64) -> u64 {
///     if n == 0 { 0 } else { n + *sum(sums, n - 1).await.unwrap() }
/// }
/// ```
///
/// [`LoadError::Recursive`]: https://docs.rs/larder-cache/latest/larder_cache/enum.LoadError.html
/// [`get_or_load`]: https://docs.rs/larder-cache/latest/larder_cache/struct.Cache.html#method.get_or_load
/// [`Loaded<V>`]: https://docs.rs/larder-cache/latest/larder_cache/struct.Loaded.html
/// [`Ttl`]: https://docs.rs/larder-store/latest/larder_store/struct.Ttl.html
#[proc_macro_attribute]
pub fn cached(options: TokenStream, function: TokenStream) -> TokenStream {
    expand(cached::expand, options, function, quote!(::larder_cache))
}

/// Removes a cached value once an async function or method has changed its source.
///
/// The body runs first; then the value is removed, whatever the body returned: a write that failed may have
/// reached the source nevertheless. If the caller is dropped in between, or the body panics, the value is still
/// removed: the near copy at once, the far one by a task.
///
/// It takes the round trips of `Cache::remove`: none without a far store, otherwise one, and one more to tell other
/// processes. `tags` add those of `Cache::remove_tag`. Several attributes remove several values.
///
/// # Options
/// - `cache = EXPR`, required: the cache, such as `self.films`.
/// - `key = EXPR`: the key, whose type EXPR must tell. Default: the argument, or a tuple of the arguments, without
///   `self`.
/// - `tags = EXPR`: removes every value with one of these tags, in all caches of the store. Then a key is removed
///   only if `key` names it.
/// - `log_errors`: logs an error of the far store, and returns the result of the body.
///
/// # Errors
/// Those of the body. If it succeeded, those of the far store, which must convert into the function's
/// error by `From<larder_store::Error>`. A function that returns no `Result` needs `log_errors`.
///
/// # Example
/// ```
/// use larder_cache::Cache;
/// use larder_macros::invalidates;
///
/// struct Films {
///     titles: Cache<u32, String>,
/// }
///
/// impl Films {
///     #[invalidates(cache = self.titles, key = id)]
///     async fn rename(&self, id: u32, title: &str) -> Result<(), Box<dyn std::error::Error>> {
///         // Commit the change to the database here.
/// #       let _ = title;
///         Ok(())
///     }
/// }
/// ```
#[proc_macro_attribute]
pub fn invalidates(options: TokenStream, function: TokenStream) -> TokenStream {
    expand(
        invalidates::expand,
        options,
        function,
        quote!(::larder_cache),
    )
}

/// Caches the return value of an async function or method, for users of the facade `larder`.
///
/// It is [`macro@cached`], whose page has the options, rules and examples, exported as `larder::macros::cached`.
#[proc_macro_attribute]
pub fn cached_by_larder(options: TokenStream, function: TokenStream) -> TokenStream {
    expand(cached::expand, options, function, quote!(::larder::cache))
}

/// Removes a cached value once an async function or method has changed its source, for users of the facade `larder`.
///
/// It is [`macro@invalidates`], whose page has the options and errors, exported as `larder::macros::invalidates`.
#[proc_macro_attribute]
pub fn invalidates_by_larder(options: TokenStream, function: TokenStream) -> TokenStream {
    expand(
        invalidates::expand,
        options,
        function,
        quote!(::larder::cache),
    )
}

/// An attribute: its options, the function, and the path of `larder-cache` in the user's crate.
type Attribute = fn(Tokens, Tokens, &Tokens) -> syn::Result<Tokens>;

fn expand(
    attribute: Attribute,
    options: TokenStream,
    function: TokenStream,
    cache_crate: Tokens,
) -> TokenStream {
    attribute(options.into(), function.into(), &cache_crate)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
