//! What follows a change.

use std::future::pending;

use larder_cache::Cache;
use larder_macros::{cached, invalidates};

use super::{Runs, near};

#[derive(Debug)]
enum Failure {
    Rejected,
    Cache,
}

impl From<larder_store::Error> for Failure {
    fn from(_: larder_store::Error) -> Self {
        Self::Cache
    }
}

#[derive(Clone)]
struct Films {
    titles: Cache<u32, String>,
    lengths: Cache<u32, usize>,
    runs: Runs,
}

fn films() -> Films {
    Films {
        titles: near(),
        lengths: near(),
        runs: Runs::default(),
    }
}

impl Films {
    #[cached(cache = self.titles)]
    async fn title(&self, id: u32) -> String {
        self.runs.add();
        id.to_string()
    }

    #[cached(cache = self.lengths)]
    async fn length(&self, id: u32) -> usize {
        self.runs.add();
        id as usize
    }

    async fn warm(&self) {
        self.title(1).await.unwrap();
        self.length(1).await.unwrap();
        assert_eq!(self.runs.count(), 2);
    }

    #[invalidates(cache = self.titles, key = id)]
    #[invalidates(cache = self.lengths, key = id)]
    async fn rename(&self, id: u32, title: &str) -> Result<usize, Failure> {
        assert!(
            self.titles.get_near(&id).is_some(),
            "the change comes first"
        );
        if title.is_empty() {
            return Err(Failure::Rejected);
        }
        Ok(title.len())
    }

    #[invalidates(cache = self.titles, log_errors)]
    async fn touch(&self, id: u32) {}

    #[invalidates(cache = self.titles)]
    async fn shown(&self, id: u32) -> Result<impl std::fmt::Display, Failure> {
        let text: Result<u32, Failure> = if id == 0 {
            Err(Failure::Rejected)
        } else {
            Ok(id)
        };
        Ok(text?)
    }

    #[invalidates(cache = self.titles)]
    async fn hang(&self, id: u32) -> Result<(), Failure> {
        pending().await
    }
}

#[tokio::test]
async fn a_change_may_return_a_type_without_a_name() {
    let films = films();
    films.warm().await;
    assert_eq!(films.shown(1).await.unwrap().to_string(), "1");
    assert!(films.titles.get_near(&1).is_none());
    assert!(films.shown(0).await.is_err());
}

#[tokio::test]
async fn a_change_removes_the_values_that_its_attributes_name() {
    let films = films();
    films.warm().await;
    assert_eq!(films.rename(1, "Faust").await.unwrap(), 5);
    assert!(films.titles.get(&1).await.is_none());
    assert!(films.lengths.get(&1).await.is_none());
    films.title(1).await.unwrap();
    films.touch(1).await;
    assert!(films.titles.get(&1).await.is_none());
}

#[tokio::test]
async fn a_change_that_failed_may_have_been_made_and_removes_too() {
    let films = films();
    films.warm().await;
    assert!(matches!(films.rename(1, "").await, Err(Failure::Rejected)));
    assert!(films.titles.get(&1).await.is_none());
}

#[tokio::test]
async fn a_change_whose_caller_goes_away_removes_all_the_same() {
    let films = films();
    films.warm().await;
    let mut call = Box::pin(films.hang(1));
    let first = std::future::poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx))).await;
    assert!(first.is_pending());
    assert!(films.titles.get_near(&1).is_some());
    drop(call);
    assert!(films.titles.get_near(&1).is_none());
}
