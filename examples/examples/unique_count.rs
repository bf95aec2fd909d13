//! A unique count: the visitors of a day, and of all days together, in a few kilobytes.
//!
//! `STORE_URL` is optional.
//!
//! ```text
//! $ cargo run -p larder-examples --example unique_count
//! visitors on monday: 2
//! visitors on tuesday: 3
//! visitors on both days together: 4
//! ```

use std::env::var;
use std::io::Write;

use larder::Ttl;
use larder_structures::unique_count::UniqueCount;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    let visitors = UniqueCount::new(store, "visitors", Ttl::from_secs(40 * 86_400))?;
    visitors.add("monday", ["ada", "grace", "ada"]).await?;
    visitors.add("tuesday", ["grace", "kay", "joan"]).await?;

    let mut out = std::io::stdout();
    for day in ["monday", "tuesday"] {
        let count = visitors.count(day).await?;
        writeln!(out, "visitors on {day}: {count}")?;
    }
    // Grace came on both days.
    let both = visitors.count_union(["monday", "tuesday"]).await?;
    writeln!(out, "visitors on both days together: {both}")?;
    Ok(())
}
