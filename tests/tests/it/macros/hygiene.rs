//! Names and shapes of the code around an attribute.

use std::sync::Arc;

use larder_cache::Cache;
use larder_macros::{cached, invalidates};

use super::{Runs, near};

/// Names that the code of an attribute could stumble over.
#[allow(dead_code, non_upper_case_globals)]
mod shadowed {
    use larder_macros::{cached, invalidates};

    pub(super) struct Option;
    pub(super) struct Result;
    pub(super) struct Arc;
    pub(super) struct Some;
    pub(super) trait ToOwned {}

    pub(super) fn key() {}
    pub(super) fn loaded() {}

    #[cached(cache = cache, key = settings)]
    pub(super) async fn text(cache: &larder_cache::Cache<u32, String>, settings: u32) -> String {
        let (key, loaded, larder_this) = (settings, 1, 2);
        format!("{settings} {key} {loaded} {larder_this}")
    }

    #[invalidates(cache = removal, key = outcome, log_errors)]
    pub(super) async fn change(removal: &larder_cache::Cache<u32, String>, outcome: u32) -> u32 {
        outcome + 1
    }
}

#[tokio::test]
async fn no_name_of_the_caller_is_in_the_way() {
    let cache = near();
    assert_eq!(*shadowed::text(&cache, 7).await.unwrap(), "7 7 1 2");
    assert_eq!(shadowed::change(&cache, 7).await, 8);
    assert!(cache.get(&7).await.is_none());
}

/// A service with a type, a number and a lifetime of its caller's.
#[derive(Clone)]
struct Shelf<T, const ROWS: usize> {
    titles: Cache<Vec<u8>, String>,
    names: Vec<String>,
    runs: Runs,
    of: Arc<T>,
}

impl<T: std::fmt::Display + Send + Sync + 'static, const ROWS: usize> Shelf<T, ROWS>
where
    Self: Clone,
{
    #[cached(cache = self.titles)]
    async fn title<'a>(&'a self, ids: &'a [u8]) -> Result<String, std::fmt::Error> {
        self.runs.add();
        let first = || -> Option<u8> { ids.first().copied() };
        match first() {
            Some(first) => Ok(format!("{} {first} of {ROWS}", self.of)),
            None => Err(std::fmt::Error),
        }
    }

    #[invalidates(cache = self.titles, key = ids)]
    async fn rename(&mut self, ids: &[u8], name: String) -> Result<&str, larder_store::Error> {
        self.names.push(name);
        Ok(self.names.last().map_or("", String::as_str))
    }

    #[invalidates(cache = self.titles, key = vec![first, second])]
    async fn swap(
        &mut self,
        (first, second): (u8, u8),
        mut names: Vec<String>,
    ) -> larder_store::Result<usize> {
        names.reverse();
        self.names.append(&mut names);
        Ok(self.names.len())
    }
}

#[tokio::test]
async fn a_service_may_have_parameters_and_be_changed_in_place() {
    let mut shelf = Shelf::<_, 3> {
        titles: near(),
        names: Vec::new(),
        runs: Runs::default(),
        of: Arc::new("film"),
    };
    for _ in 0..2 {
        assert_eq!(*shelf.title(&[7, 8]).await.unwrap(), "film 7 of 3");
    }
    assert!(shelf.title(&[]).await.is_err());
    assert_eq!(shelf.runs.count(), 2);
    assert_eq!(
        shelf.rename(&[7, 8], "Faust".to_owned()).await.unwrap(),
        "Faust"
    );
    shelf.title(&[7, 8]).await.unwrap();
    assert_eq!(shelf.runs.count(), 3);
    assert_eq!(
        shelf.swap((7, 8), vec!["Aelita".to_owned()]).await.unwrap(),
        2
    );
    shelf.title(&[7, 8]).await.unwrap();
    assert_eq!(shelf.runs.count(), 4);
}
