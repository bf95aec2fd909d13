//! A recent list: the newest notices of a user, page by page.
//!
//! `STORE_URL` is optional.
//!
//! ```text
//! $ cargo run -p larder-examples --example recent_list
//! newest: seat F12 is yours, your booking is paid
//! before those: welcome
//! since welcome: your booking is paid, seat F12 is yours, the film begins at eight
//! ```

use std::env::var;
use std::io::Write;

use larder::Ttl;
use larder_structures::recent_list::{Page, RecentList};

fn shown(page: &Page) -> String {
    let items = page.items.iter();
    let items: Vec<_> = items
        .map(|item| String::from_utf8_lossy(&item.value))
        .collect();
    items.join(", ")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    let notices = RecentList::new(store, "notices", Ttl::from_secs(30 * 86_400))?;
    let welcome = notices.push("ada", "welcome").await?;
    notices.push("ada", "your booking is paid").await?;
    notices.push("ada", "seat F12 is yours").await?;

    let mut out = std::io::stdout();
    let first = notices.newest("ada", 2).await?;
    writeln!(out, "newest: {}", shown(&first))?;
    // An item that is pushed between two pages does not shift the second.
    notices.push("ada", "the film begins at eight").await?;
    if let Some(next) = first.next {
        let second = notices.before("ada", next, 2).await?;
        writeln!(out, "before those: {}", shown(&second))?;
    }
    let since = notices.after("ada", welcome, 10).await?;
    writeln!(out, "since welcome: {}", shown(&since))?;
    Ok(())
}
