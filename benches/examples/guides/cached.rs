use cached::macros::cached;

#[derive(Clone)]
struct Films;

#[cached(
    size = 1000,
    ttl = 300,
    result = true,
    sync_writes = "by_key",
    key = "u32",
    convert = "{ id }"
)]
async fn title(films: Films, id: u32) -> std::io::Result<String> {
    let _ = films; // a query
    Ok(format!("film {id}"))
}
