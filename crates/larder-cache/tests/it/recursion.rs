//! Loaders that read from the caches that they fill.

use std::convert::Infallible;
use std::time::Duration;

use larder_cache::{Cache, LoadError};

use crate::support::{Gate, near_films};

type Films = Cache<u32, String>;
type Loaded = Result<std::sync::Arc<String>, LoadError<Infallible>>;

/// Loads a film from another film of the cache.
fn through(films: &Films, other: u32) -> impl Future<Output = Loaded> + Send + 'static {
    let films = films.clone();
    async move {
        films
            .get_or_load(&other, || async { Ok::<_, Infallible>("leaf".to_owned()) })
            .await
    }
}

#[tokio::test(start_paused = true)]
async fn a_loader_that_loads_its_own_key_gets_an_error_at_once() {
    let films = near_films();
    let began = tokio::time::Instant::now();
    let inner = films.clone();
    let outer = films
        .get_or_load(&7, || async move {
            let again = through(&inner, 7).await;
            assert!(matches!(again, Err(LoadError::Recursive)), "{again:?}");
            Err::<String, _>(again.unwrap_err())
        })
        .await
        .unwrap_err();
    assert!(matches!(**outer.loader().unwrap(), LoadError::Recursive));
    assert!(
        outer
            .loader()
            .unwrap()
            .to_string()
            .contains("the key itself")
    );
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_loader_that_loads_its_own_key_through_another_gets_an_error_at_once() {
    let (films, genres) = (near_films(), near_films());
    let (inner, outer) = (films.clone(), genres.clone());
    let found = films
        .get_or_load(&7, || async move {
            let genre = outer
                .get_or_load(&1, || async move {
                    let again = through(&inner, 7).await;
                    assert!(matches!(again, Err(LoadError::Recursive)), "{again:?}");
                    Ok::<_, Infallible>("a genre without its film".to_owned())
                })
                .await?;
            Ok::<_, LoadError<Infallible>>((*genre).clone())
        })
        .await
        .unwrap();
    assert_eq!(*found, "a genre without its film");
}

#[tokio::test(start_paused = true)]
async fn two_loads_that_wait_for_each_other_end_at_once() {
    let films = near_films();
    let (one_runs, two_runs) = (Gate::closed(), Gate::closed());
    let begin = |key: u32, other: u32, gate: &Gate| {
        let (films, gate) = (films.clone(), gate.clone());
        tokio::spawn(async move {
            let inner = films.clone();
            films
                .get_or_load(&key, || async move {
                    gate.pass().await;
                    through(&inner, other).await.map(|film| (*film).clone())
                })
                .await
        })
    };
    let (one, two) = (begin(1, 2, &one_runs), begin(2, 1, &two_runs));
    one_runs.arrived().await;
    two_runs.arrived().await;
    let began = tokio::time::Instant::now();
    one_runs.open();
    tokio::task::yield_now().await;
    two_runs.open();
    let two = two.await.unwrap().unwrap_err();
    assert!(matches!(**two.loader().unwrap(), LoadError::Recursive));
    // The error of the other caller's loader has a type that this call does not know, so it loads itself.
    assert_eq!(*one.await.unwrap().unwrap(), "leaf");
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_loader_may_load_other_keys_and_the_same_key_of_another_cache() {
    let (films, genres) = (near_films(), near_films());
    let (inner, other) = (films.clone(), genres.clone());
    let film = films
        .get_or_load(&7, || async move {
            through(&inner, 8).await?;
            through(&other, 7).await?;
            let both = tokio::join!(through(&inner, 9), through(&inner, 10));
            both.0?;
            both.1?;
            Ok::<_, LoadError<Infallible>>("Metropolis".to_owned())
        })
        .await
        .unwrap();
    assert_eq!(*film, "Metropolis");
}

#[tokio::test(start_paused = true)]
async fn a_batch_loader_that_asks_for_one_of_its_keys_gets_an_error_at_once() {
    let films = near_films();
    let inner = films.clone();
    let loaded = films
        .get_or_load_many(&[1, 2], move |keys| {
            let inner = inner.clone();
            async move {
                let again = through(&inner, 2).await;
                assert!(matches!(again, Err(LoadError::Recursive)), "{again:?}");
                let parts = keys.into_iter().map(|key| (key, Ok("a film".to_owned())));
                Ok::<_, Infallible>(parts.collect::<Vec<(u32, Result<String, Infallible>)>>())
            }
        })
        .await;
    assert!(loaded.iter().all(Result::is_ok));
}
