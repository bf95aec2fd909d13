use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

struct Film {
    title: String,
}

async fn query(_id: u32) -> std::io::Result<Film> {
    Ok(Film {
        title: "Metropolis".to_owned(),
    })
}

async fn film() -> Result<Arc<Film>, Box<dyn std::error::Error>> {
    let films: Cache<u32, Arc<Film>> = Cache::builder()
        .max_capacity(10_000)
        .time_to_live(Duration::from_secs(300))
        .build();
    let film = films
        .try_get_with(12, async { query(12).await.map(Arc::new) })
        .await?;
    films.invalidate(&12).await;
    Ok(film)
}
