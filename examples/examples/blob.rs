//! A blob: a large value in chunks, streamed in and out.
//!
//! `STORE_URL` is optional.
//!
//! ```text
//! $ cargo run -p larder-examples --example blob
//! written: 1000000 bytes
//! read: 8 chunks, 1000000 bytes
//! from 999990 on: 10 bytes
//! after a failed upload: 1000000 bytes
//! ```

use std::env::var;
use std::io::Write;

use larder::Ttl;
use larder_structures::blob::Blobs;
use tokio::io::AsyncReadExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    let posters = Blobs::new(store, "posters", Ttl::from_secs(86_400))?.with_max_size(2_000_000);
    let mut out = std::io::stdout();

    // The source may also be a file or the body of a request.
    let source = tokio::io::repeat(7).take(1_000_000);
    let info = posters.put("metropolis", source).await?;
    writeln!(out, "written: {} bytes", info.size)?;

    let (mut chunks, mut bytes) = (0, 0);
    if let Some(mut reader) = posters.get("metropolis").await? {
        while let Some(chunk) = reader.next().await? {
            chunks += 1;
            bytes += chunk.len();
        }
    }
    writeln!(out, "read: {chunks} chunks, {bytes} bytes")?;

    let mut end = Vec::new();
    if let Some(mut reader) = posters.get_range("metropolis", 999_990, u64::MAX).await? {
        reader.copy_to(&mut end).await?;
    }
    writeln!(out, "from 999990 on: {} bytes", end.len())?;

    // An upload that is too large changes nothing.
    let failed = posters.put("metropolis", tokio::io::repeat(8)).await;
    let size = posters
        .info("metropolis")
        .await?
        .map_or(0, |info| info.size);
    if failed.is_err() {
        writeln!(out, "after a failed upload: {size} bytes")?;
    }
    Ok(())
}
