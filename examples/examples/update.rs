//! An update by version: four tasks sign one guest book, and no signature is lost.
//!
//! `STORE_URL` is optional.
//!
//! ```text
//! $ cargo run -p larder-examples --example update
//! ada grace joan kay
//! ```

use std::env::var;
use std::io::Write;

use larder::{Key, Kind, Ttl};
use larder_structures::update::{Next, Updates};

const BOOK: Kind = Kind::pinned("guest-book");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    let updates = Updates::new(store);
    let tasks = ["kay", "ada", "joan", "grace"].map(|name| {
        let updates = updates.clone();
        tokio::spawn(async move {
            let sign = |book: Option<&bytes::Bytes>| {
                let book = book.map(|book| String::from_utf8_lossy(book).into_owned());
                let mut names: Vec<_> = book.iter().flat_map(|it| it.split(' ')).collect();
                names.push(name);
                names.sort_unstable();
                Next::put(names.join(" "), Ttl::from_secs(3_600), ())
            };
            updates.update(&Key::new(BOOK, "lobby"), sign).await
        })
    });
    for task in tasks {
        task.await??;
    }
    let read = |book: Option<&bytes::Bytes>| Next::Keep(book.cloned().unwrap_or_default());
    let book = updates.update(&Key::new(BOOK, "lobby"), read).await?;
    writeln!(std::io::stdout(), "{}", String::from_utf8_lossy(&book))?;
    Ok(())
}
