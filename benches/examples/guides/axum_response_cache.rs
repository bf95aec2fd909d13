use std::time::Duration;

use axum::extract::Path;
use axum::{Router, routing::get};
use axum_response_cache::CacheLayer;

async fn film(Path(id): Path<u32>) -> String {
    format!("film {id}")
}

fn films() -> Router {
    let cache = CacheLayer::with_lifespan(Duration::from_secs(60)).use_stale_on_failure();
    Router::new().route("/films/{id}", get(film)).layer(cache)
}
