use bb8_redis::RedisConnectionManager;
use bb8_redis::redis::AsyncCommands;

async fn title() -> Result<Option<String>, Box<dyn std::error::Error>> {
    let manager = RedisConnectionManager::new("redis://127.0.0.1:6379")?;
    let pool = bb8::Pool::builder().build(manager).await?;

    let mut connection = pool.get().await?;
    let _: () = connection.set_ex("film:12", "Metropolis", 300).await?;
    Ok(connection.get("film:12").await?)
}
