//! A record: the fields of a profile are read and changed one by one.
//!
//! `STORE_URL` is optional.
//!
//! ```text
//! $ cargo run -p larder-examples --example record
//! Ada was here 3 times, and lives in London
//! the city alone: London
//! the seat was free: Done
//! the seat was free: Other(Some("ada"))
//! ```

use std::env::var;
use std::io::Write;

use larder::Ttl;
use larder_structures::record::Record;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Profile {
    name: String,
    city: Option<String>,
    visits: i64,
}

/// Two fields of a profile.
#[derive(Serialize, Deserialize)]
struct Address {
    city: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    let profiles = Record::<Profile>::new(store, "profiles", Ttl::from_secs(86_400))?;
    let ada = Profile {
        name: "Ada".to_owned(),
        city: None,
        visits: 1,
    };
    profiles.put("ada", &ada).await?;

    // Two requests at once: neither overwrites the other's change.
    let address = Address {
        city: Some("London".to_owned()),
    };
    let (moved, visited) = tokio::join!(
        profiles.set_part("ada", &address),
        profiles.increment("ada", "visits", 2),
    );
    moved?;
    visited?;

    let mut out = std::io::stdout();
    if let Some(Profile { name, city, visits }) = profiles.get("ada").await? {
        let city = city.unwrap_or_default();
        writeln!(out, "{name} was here {visits} times, and lives in {city}")?;
    }
    if let Some(Address { city }) = profiles.get_part("ada", &["city"]).await? {
        writeln!(out, "the city alone: {}", city.unwrap_or_default())?;
    }
    for user in ["ada", "bob"] {
        let user = user.to_owned();
        let taken = profiles
            .compare_and_set("ada", "seat", None, Some(&user))
            .await?;
        writeln!(out, "the seat was free: {taken:?}")?;
    }
    Ok(())
}
