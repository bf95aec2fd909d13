//! Membership: addresses that certainly got no mail yet, in ten bits for each.
//!
//! `STORE_URL` is optional.
//!
//! ```text
//! $ cargo run -p larder-examples --example membership
//! ada@example.org: a mail is sent
//! bob@example.org: a mail is sent
//! ada@example.org: one was sent already
//! 2 of 100000 addresses
//! ```

use std::env::var;
use std::io::Write;

use larder::Ttl;
use larder_structures::membership::Membership;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    // One address in a hundred gets no mail; none gets two.
    let sent = Membership::new(store, "sent", 100_000, 0.01, Ttl::from_secs(7 * 86_400))?;
    let mut out = std::io::stdout();
    for address in ["ada@example.org", "bob@example.org", "ada@example.org"] {
        let answer = match sent.add("week", address).await? {
            true => "a mail is sent",
            false => "one was sent already",
        };
        writeln!(out, "{address}: {answer}")?;
    }
    let fill = sent.fill("week").await?;
    writeln!(out, "{} of {} addresses", fill.members, fill.capacity)?;
    Ok(())
}
