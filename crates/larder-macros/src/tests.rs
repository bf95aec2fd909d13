//! The errors of the attributes, each of which says how to fix the problem.

use proc_macro2::TokenStream;
use quote::quote;

fn cached(options: &str, function: &str) -> Result<String, String> {
    run(crate::cached::expand, options, function)
}

fn invalidates(options: &str, function: &str) -> Result<String, String> {
    run(crate::invalidates::expand, options, function)
}

fn run(attribute: crate::Attribute, options: &str, function: &str) -> Result<String, String> {
    let tokens = |text: &str| text.parse::<TokenStream>().unwrap();
    attribute(tokens(options), tokens(function), &quote!(::larder_cache))
        .map(|tokens| tokens.to_string())
        .map_err(|error| error.to_string())
}

const FILM: &str =
    "async fn film(&self, id: u32) -> Result<Film, Error> { self.db.film(id).await }";

#[track_caller]
fn refused(result: Result<String, String>, text: &str) {
    let error = result.unwrap_err();
    assert!(error.contains(text), "{error}");
}

#[test]
fn an_option_that_is_missing_unknown_or_given_twice_is_refused() {
    refused(
        cached("key = id", FILM),
        "add `cache = EXPR`, such as `cache = self.films`",
    );
    refused(
        cached("cache = c, kye = id", FILM),
        "unknown option `kye`: expected one of cache, key, ttl, tags, cache_none",
    );
    refused(
        cached("cache = c, key = id, key = id", FILM),
        "`key` is given twice",
    );
    refused(
        cached("cache", FILM),
        "`cache` needs a value: write `cache = EXPR`",
    );
    refused(
        cached("cache = c, cache_none = true", FILM),
        "write `cache_none` alone",
    );
    refused(invalidates("key = id", FILM), "add `cache = EXPR`");
    refused(
        invalidates("cache = c, ttl = t", FILM),
        "unknown option `ttl`: expected one of cache, key, tags, log_errors",
    );
}

#[test]
fn only_an_async_function_is_accepted() {
    refused(
        cached("cache = c", "fn film(id: u32) -> Film { film(id) }"),
        "needs an `async fn`",
    );
    refused(
        cached("cache = c", "struct Film;"),
        "goes on an async function or method with a body",
    );
    refused(
        cached("cache = c", "async fn film(id: u32) -> Film;"),
        "with a body",
    );
    refused(
        invalidates("cache = c", "fn film(id: u32) {}"),
        "under #[async_trait]",
    );
}

#[test]
fn a_function_that_calls_itself_is_refused() {
    for function in [
        "async fn sum(n: u64) -> u64 { n + *sum(n - 1).await.unwrap() }",
        "async fn sum(n: u64) -> u64 { let next = || self::sum(n - 1); next().await }",
        "async fn sum(&self, n: u64) -> u64 { if n > 0 { *self.sum(n - 1).await.unwrap() } else { 0 } }",
        "async fn sum(&self, n: u64) -> u64 { Self::sum(self, n - 1).await }",
    ] {
        refused(
            cached("cache = c, key = n", function),
            "`sum` is cached and calls itself: its load would wait for a load of its own; move the \
             recursion into a function without #[cached]",
        );
    }
}

#[test]
fn a_function_of_the_same_name_elsewhere_may_be_called() {
    assert!(cached("cache = c", FILM).is_ok());
    for function in [
        "async fn film(&self, id: u32) -> Film { film(id).await }",
        "async fn film(id: u32) -> Film { database::film(id).await }",
        "async fn film(id: u32) -> Film { fn inner() { film(1); } other(id).await }",
    ] {
        assert!(cached("cache = c", function).is_ok(), "{function}");
    }
}

#[test]
fn a_name_that_the_body_gives_to_something_else_may_be_called() {
    for function in [
        "async fn sum(n: u64) -> u64 { fn sum(n: u64) -> u64 { n } sum(n) }",
        "async fn sum(n: u64) -> u64 { use database::sum; sum(n) }",
        "async fn sum(n: u64) -> u64 { use database::{add as sum, Total}; sum(n) }",
        "async fn sum(n: u64) -> u64 { let sum = |n| n + 1; sum(n) }",
        "async fn sum(sum: fn(u64) -> u64, n: u64) -> u64 { sum(n) }",
        "async fn sum(n: u64) -> u64 { if n > 0 { let sum = |n| n + 1; return sum(n); } n }",
    ] {
        assert!(cached("cache = c, key = n", function).is_ok(), "{function}");
    }
    refused(
        cached(
            "cache = c",
            "async fn sum(n: u64) -> u64 { let sum = sum(n - 1).await; *sum.unwrap() }",
        ),
        "calls itself",
    );
    refused(
        cached(
            "cache = c",
            "async fn sum(&self, n: u64) -> u64 { self.sum(n).await }",
        ),
        "and call that, or give the function another name",
    );
}

#[test]
fn a_variable_of_the_function_s_name_hides_no_call_that_does_not_see_it() {
    for function in [
        "async fn film(id: u64) -> Film { let Some(film) = find(id) else { return film(0).await }; film }",
        "async fn film(id: u64) -> Film { match row(id) { Some(film) => film, None => film(id - 1).await } }",
        "async fn film(id: u64) -> Film { if let Some(film) = row(id) { film } else { film(0).await } }",
        "async fn film(id: u64) -> Film { { let film = |id| id; } film(id - 1).await }",
        "async fn film(id: u64) -> Film { { fn film() {} } film(id - 1).await }",
        "async fn film(id: u64) -> Film { let next = film(id - 1).await; let film = |id| id; film(next) }",
    ] {
        refused(cached("cache = c, key = id", function), "calls itself");
    }
}

#[test]
fn a_type_whose_references_the_load_does_not_hold_is_accepted() {
    for argument in [
        "by: Arc<dyn Fn(&str) -> bool + Send + Sync>",
        "by: Box<dyn for<'a> Fn(&'a str) -> &'a str + Send>",
        "by: impl for<'a> Fn(&'a str) + Send + 'static",
        "by: impl for<'a> Read<'a, Of = &'a str> + Send + 'static",
        "by: &'static dyn Rule",
        "by: &'static impl Rule",
    ] {
        let function = format!("async fn film({argument}) -> Film {{ load(by) }}");
        let accepted = cached("cache = c, key = 1", &function);
        assert!(accepted.is_ok(), "{argument}: {accepted:?}");
    }
    for argument in ["_: &Film", "_: &[&str]"] {
        let function = format!("async fn film({argument}) -> Film {{ load() }}");
        assert!(
            cached("cache = c, key = 1", &function).is_ok(),
            "{argument}"
        );
    }
}

#[test]
fn an_argument_that_a_load_cannot_keep_is_refused() {
    refused(
        cached(
            "cache = c",
            "async fn film(&mut self, id: u32) -> Film { load() }",
        ),
        "cannot take `&mut self`: a hit does not run it; take `&self`",
    );
    refused(
        cached(
            "cache = c",
            "async fn film(id: &mut u32) -> Film { load() }",
        ),
        "cannot take a `&mut` argument",
    );
    for argument in [
        "ids: Vec<&str>",
        "ids: &[&str]",
        "id: Cow<'a, str>",
        "id: (u8, &'b str)",
        "by: Box<dyn Fn(&str) + 'a>",
        "by: (impl for<'b> Fn(&'b str), &'b str)",
    ] {
        refused(
            cached(
                "cache = c",
                &format!("async fn film({argument}) -> Film {{ load() }}"),
            ),
            "the load outlives the call, and cannot hold this reference: take an owned type",
        );
    }
    refused(
        cached(
            "cache = c, key = 1",
            "async fn film(Id(id): &Id) -> Film { load() }",
        ),
        "give the argument a name",
    );
    for argument in [
        "id: &impl Display",
        "id: &dyn Display",
        "id: &(dyn Display + Send)",
    ] {
        refused(
            cached(
                "cache = c, key = 1",
                &format!("async fn film({argument}) -> Film {{ load(id) }}"),
            ),
            "name its type, such as `T: Clone + Send + Sync + 'static`, or take an `Arc`",
        );
    }
    for text in ["{self}", "a {self:?}"] {
        refused(
            cached(
                "cache = c",
                &format!("async fn film(&self, id: u32) -> Film {{ load(format!(\"{text}\")) }}"),
            ),
            "write `{}` and pass `self` as an argument",
        );
    }
    let escaped = "async fn film(&self, id: u32) -> Film { load(format!(\"{{self}} {selfish}\")) }";
    assert!(cached("cache = c", escaped).is_ok());
    assert!(
        cached(
            "cache = c",
            "async fn film(id: &'static str) -> Film { load() }"
        )
        .is_ok()
    );
}

#[test]
fn a_key_that_cannot_be_made_of_the_arguments_is_asked_for() {
    refused(
        cached("cache = c", "async fn film(&self) -> Film { load() }"),
        "there is no argument to make a key of: name the key with `key = EXPR`",
    );
    refused(
        cached("cache = c", "async fn film(Id(id): Id) -> Film { load() }"),
        "a pattern cannot be the key: name the key with `key = EXPR`",
    );
    refused(
        cached(
            "cache = c",
            "async fn film(id: u32, #[cfg(test)] of: u32) -> Film { load() }",
        ),
        "an argument under #[cfg] cannot be part of the key: name the key with `key = EXPR`",
    );
}

#[test]
fn a_return_type_without_a_value_to_cache_is_refused() {
    refused(
        cached("cache = c", "async fn film(id: u32) { load() }"),
        "add `-> Result<V, E>` or `-> V`",
    );
    for ty in ["impl Display", "Result<Vec<impl Display>, Error>"] {
        refused(
            cached(
                "cache = c",
                &format!("async fn film(id: u32) -> {ty} {{ load() }}"),
            ),
            "name it instead of `impl Trait`",
        );
    }
}

#[test]
fn a_removal_that_cannot_return_its_error_asks_where_to_put_it() {
    let function = "async fn rename(&self, id: u32) { save() }";
    refused(
        invalidates("cache = c", function),
        "return one, or add `log_errors`",
    );
    assert!(invalidates("cache = c, log_errors", function).is_ok());
}
