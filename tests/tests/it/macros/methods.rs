//! What a body may borrow, and what a key is made of.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder_cache::{Cache, LoadError};
use larder_macros::cached;

use super::{Runs, near};

/// A service whose clones are counted.
#[derive(Debug)]
struct Films {
    titles: Cache<u32, String>,
    by_name: Cache<(String, u16), usize>,
    runs: Runs,
    clones: Arc<AtomicUsize>,
}

impl Clone for Films {
    fn clone(&self) -> Self {
        self.clones.fetch_add(1, Ordering::Relaxed);
        Self {
            titles: self.titles.clone(),
            by_name: self.by_name.clone(),
            runs: self.runs.clone(),
            clones: self.clones.clone(),
        }
    }
}

fn films() -> Films {
    Films {
        titles: near(),
        by_name: near(),
        runs: Runs::default(),
        clones: Arc::default(),
    }
}

impl Films {
    fn prefix(&self) -> &'static str {
        self.runs.add();
        "film"
    }

    #[cached(cache = self.titles, key = id)]
    async fn title(&self, id: u32) -> std::io::Result<String> {
        tokio::task::yield_now().await;
        Ok(format!("{} {id}", self.prefix()))
    }

    #[cached(cache = self.titles)]
    async fn shared(self: Arc<Self>, id: u32) -> String {
        self.runs.add();
        format!("{} of {id}", self.titles.loads_in_flight())
    }

    #[cached(cache = self.titles)]
    async fn borrowed(self: &Arc<Self>, id: &u32) -> String {
        self.runs.add();
        id.to_string()
    }

    #[cached(cache = self.by_name)]
    async fn length(&self, name: &str, year: u16) -> usize {
        self.runs.add();
        name.len() + usize::from(year)
    }

    #[cached(cache = self.titles)]
    async fn by_type(&self, r#type: u32) -> String {
        r#type.to_string()
    }

    #[cached(cache = self.by_name, key = (name.clone(), 0))]
    async fn moved(&self, mut name: String) -> usize {
        name.push('!');
        name.len()
    }
}

#[tokio::test]
async fn a_method_runs_on_a_miss_and_a_near_hit_clones_nothing() {
    let films = films();
    assert_eq!(*films.title(7).await.unwrap(), "film 7");
    let clones = films.clones.load(Ordering::Relaxed);
    assert_eq!(clones, 1);
    for _ in 0..10 {
        assert_eq!(*films.title(7).await.unwrap(), "film 7");
    }
    assert_eq!(films.clones.load(Ordering::Relaxed), clones);
    assert_eq!(films.runs.count(), 1);
}

#[tokio::test]
async fn the_arguments_without_self_are_the_key() {
    let films = films();
    assert_eq!(*films.length("Metropolis", 1).await.unwrap(), 11);
    assert_eq!(*films.length("Metropolis", 2).await.unwrap(), 12);
    assert_eq!(*films.length("Metropolis", 1).await.unwrap(), 11);
    assert_eq!(films.runs.count(), 2);
    assert_eq!(*films.moved("Metropolis".to_owned()).await.unwrap(), 11);
}

#[tokio::test]
async fn a_method_may_take_self_in_an_arc() {
    let films = Arc::new(films());
    assert_eq!(*films.clone().shared(1).await.unwrap(), "1 of 1");
    assert_eq!(*films.borrowed(&2).await.unwrap(), "2");
    assert_eq!(*films.borrowed(&2).await.unwrap(), "2");
    assert_eq!(films.runs.count(), 2);
}

/// Where the titles are, behind a trait.
trait Titles {
    async fn of(&self, id: u32) -> Result<Arc<String>, LoadError<std::io::Error>>;
}

impl Titles for Films {
    #[cached(cache = self.titles)]
    async fn of(&self, id: u32) -> std::io::Result<String> {
        Ok(format!("{}", { self.prefix() }.len() + id as usize))
    }
}

#[tokio::test]
async fn a_method_of_a_trait_may_be_cached() {
    assert_eq!(*films().of(1).await.unwrap(), "5");
}

#[cached(cache = cache, key = name)]
async fn shout<N>(cache: &Cache<String, String>, name: &str, how: &N, runs: &Runs) -> String
where
    N: ToString + Clone + Send + Sync + 'static,
{
    runs.add();
    name.to_uppercase() + &how.to_string()
}

#[cached(cache = cache, key = (r#type.to_owned(), r#as))]
async fn tail(cache: &Cache<(String, u16), usize>, mut r#type: &str, r#as: u16) -> usize {
    while let Some(rest) = r#type.strip_prefix('/') {
        r#type = rest;
    }
    r#type.len() + usize::from(r#as)
}

#[tokio::test]
async fn an_argument_may_have_a_raw_name_and_be_mutable() {
    let cache = near();
    assert_eq!(*tail(&cache, "///film", 1).await.unwrap(), 5);
    assert_eq!(*films().by_type(7).await.unwrap(), "7");
}

#[tokio::test]
async fn a_function_may_take_its_cache_as_an_argument() {
    let (cache, runs) = (near(), Runs::default());
    assert_eq!(
        *shout(&cache, "aelita", &'!', &runs).await.unwrap(),
        "AELITA!"
    );
    assert_eq!(
        *shout(&cache, "aelita", &'?', &runs).await.unwrap(),
        "AELITA!"
    );
    assert_eq!(runs.count(), 1);
}

#[tokio::test]
async fn a_caller_that_is_dropped_cancels_no_load() {
    let films = films();
    let mut call = Box::pin(films.title(7));
    let first = std::future::poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx))).await;
    assert!(first.is_pending());
    drop(call);
    while films.titles.get_near(&7).is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(films.runs.count(), 1);
}

#[tokio::test]
async fn the_future_of_a_cached_function_can_be_sent() {
    let films = films();
    let title = tokio::spawn(async move { films.title(7).await.unwrap() });
    assert_eq!(*title.await.unwrap(), "film 7");
}
