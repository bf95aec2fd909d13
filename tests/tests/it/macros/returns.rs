//! What a body may return, and what of it is cached.

use std::io::{Error, ErrorKind, Result as IoResult};

use larder_cache::{Cache, LoadError, Loaded};
use larder_macros::cached;
use larder_store::{ManualClock, Ttl};

use super::{FILM, Runs, near};

type Titles = Cache<u32, String>;

fn title(id: u32) -> IoResult<String> {
    match id {
        0 => Err(Error::from(ErrorKind::TimedOut)),
        id => Ok(id.to_string()),
    }
}

#[cached(cache = titles, key = id)]
async fn by_result(titles: &Titles, runs: &Runs, id: u32) -> IoResult<String> {
    runs.add();
    let title = title(id)?;
    if id == 1 {
        return Ok("one".to_owned());
    }
    Ok(title)
}

#[cached(cache = titles, key = id)]
async fn by_option(titles: &Titles, runs: &Runs, id: u32) -> Option<String> {
    runs.add();
    let title = title(id).ok()?;
    Some(title)
}

#[cached(cache = titles, key = id)]
async fn by_both(titles: &Titles, runs: &Runs, id: u32) -> Result<Option<String>, Error> {
    runs.add();
    let title = title(id)?;
    Ok((id != 1).then_some(title))
}

#[cached(cache = titles, key = id, cache_none)]
async fn with_none(
    titles: &Cache<u32, Option<String>>,
    runs: &Runs,
    id: u32,
) -> Result<Option<String>, Error> {
    runs.add();
    Ok((id != 1).then(|| id.to_string()))
}

#[cached(cache = titles, key = id, ttl = Ttl::from_secs(u64::from(id)))]
async fn for_a_while(titles: &Titles, runs: &Runs, id: u32) -> Loaded<String> {
    runs.add();
    let loaded = Loaded::new(id.to_string());
    if id == 3 { loaded.uncached() } else { loaded }
}

/// Not a `Result`, in spite of its name.
#[derive(Debug, PartialEq)]
struct SearchResult(u32);

type Found = SearchResult;

#[cached(cache = found, key = id)]
async fn by_alias(found: &Cache<u32, SearchResult>, id: u32) -> Found {
    SearchResult(id)
}

/// An alias whose only argument is the error.
type TitleResult<E> = Result<String, E>;

#[cached(cache = titles, key = id)]
async fn by_error(titles: &Titles, id: u32) -> TitleResult<Error> {
    title(id)
}

#[cached(cache = titles, key = id)]
async fn by_value(titles: &Titles, id: u32) -> IoResult<Option<String>> {
    Ok(Some(title(id)?).filter(|_| id != 1))
}

#[cached(cache = titles, key = id)]
async fn by_loaded(titles: &Titles, id: u32) -> IoResult<Loaded<String>> {
    Ok(Loaded::new(title(id)?).uncached())
}

#[tokio::test]
async fn the_only_argument_of_an_alias_may_be_the_error_or_the_value() {
    let titles = near();
    assert!(by_error(&titles, 0).await.is_err());
    assert_eq!(*by_error(&titles, 7).await.unwrap(), "7");
    assert_eq!(by_value(&titles, 1).await.unwrap(), None);
    assert_eq!(*by_value(&titles, 2).await.unwrap().unwrap(), "2");
    assert_eq!(*by_loaded(&titles, 3).await.unwrap(), "3");
}

#[tokio::test]
async fn a_value_may_be_called_a_result_behind_an_alias() {
    let found = near();
    assert_eq!(*by_alias(&found, 7).await.unwrap(), SearchResult(7));
}

#[tokio::test]
async fn an_error_is_returned_and_not_cached() {
    let (titles, runs) = (near(), Runs::default());
    for _ in 0..2 {
        let error = by_result(&titles, &runs, 0).await.unwrap_err();
        assert_eq!(error.loader().unwrap().kind(), ErrorKind::TimedOut);
    }
    assert_eq!(runs.count(), 2);
    for id in [1, 2, 1, 2] {
        let title = by_result(&titles, &runs, id).await.unwrap();
        assert_eq!(*title, if id == 1 { "one" } else { "2" });
    }
    assert_eq!(runs.count(), 4);
}

#[tokio::test]
async fn none_is_returned_and_not_cached() {
    let (titles, runs) = (near(), Runs::default());
    assert_eq!(by_option(&titles, &runs, 0).await.unwrap(), None);
    assert_eq!(by_option(&titles, &runs, 0).await.unwrap(), None);
    assert_eq!(runs.count(), 2);
    assert_eq!(*by_option(&titles, &runs, 2).await.unwrap().unwrap(), "2");
    assert_eq!(*by_option(&titles, &runs, 2).await.unwrap().unwrap(), "2");
    assert_eq!(runs.count(), 3);
}

#[tokio::test]
async fn none_and_an_error_are_told_apart() {
    let (titles, runs) = (near(), Runs::default());
    let error = by_both(&titles, &runs, 0).await.unwrap_err();
    assert!(matches!(error, LoadError::Loader(error) if error.kind() == ErrorKind::TimedOut));
    assert_eq!(by_both(&titles, &runs, 1).await.unwrap(), None);
    assert_eq!(*by_both(&titles, &runs, 2).await.unwrap().unwrap(), "2");
}

#[tokio::test]
async fn none_is_cached_if_the_attribute_says_so() {
    let (titles, runs) = (near(), Runs::default());
    assert_eq!(*with_none(&titles, &runs, 1).await.unwrap(), None);
    assert_eq!(*with_none(&titles, &runs, 1).await.unwrap(), None);
    assert_eq!(
        with_none(&titles, &runs, 2).await.unwrap().as_deref(),
        Some("2")
    );
    assert_eq!(runs.count(), 2);
}

#[tokio::test]
async fn a_ttl_is_that_of_the_attribute_unless_the_loader_chooses() {
    let (clock, runs) = (ManualClock::default(), Runs::default());
    let titles: Titles = Cache::builder(FILM, Ttl::from_secs(600))
        .with_jitter(0.0)
        .with_clock(clock.clone())
        .build()
        .unwrap();
    for _ in 0..2 {
        for_a_while(&titles, &runs, 2).await.unwrap();
    }
    assert_eq!(runs.count(), 1);
    clock.advance(Ttl::from_secs(2).into());
    for_a_while(&titles, &runs, 2).await.unwrap();
    assert_eq!(runs.count(), 2);
    for _ in 0..2 {
        for_a_while(&titles, &runs, 3).await.unwrap();
    }
    assert_eq!(runs.count(), 4);
}
