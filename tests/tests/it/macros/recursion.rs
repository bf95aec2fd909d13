//! Two cached functions that need each other's values.

use std::pin::Pin;
use std::sync::Arc;

use larder_cache::{Cache, LoadError};
use larder_macros::cached;
use tokio::time::{Duration, timeout};

use super::near;

type Films = Cache<u32, String>;
type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

#[cached(cache = films, key = id)]
async fn title(films: &Films, id: u32) -> Result<String, String> {
    let load = Box::pin(subtitle(films, id));
    Ok(load
        .await
        .map_err(|error: LoadError<String>| error.to_string())?
        .to_string())
}

fn subtitle(films: &Films, id: u32) -> Boxed<Result<Arc<String>, LoadError<String>>> {
    let films = films.clone();
    Box::pin(async move {
        if id == 1 {
            return Err(LoadError::NotFound);
        }
        title(&films, id).await
    })
}

#[tokio::test]
async fn a_function_that_needs_its_own_value_gets_an_error_at_once() {
    let films = near();
    let answer = timeout(Duration::from_secs(5), title(&films, 7))
        .await
        .unwrap();
    let text = answer.unwrap_err().loader().unwrap().to_string();
    assert_eq!(text, LoadError::<String>::Recursive.to_string());
}
