//! Member sets: the users that two others both follow, and a winner at random.
//!
//! `STORE_URL` is optional.
//!
//! ```text
//! $ cargo run -p larder-examples --example member_set
//! ada follows grace: true, joan: false
//! both follow: grace, kay
//! only ada follows: rosalind
//! the winner is …
//! ```

use std::env::var;
use std::io::Write;

use larder::Ttl;
use larder_structures::member_set::MemberSet;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    let follows = MemberSet::new(store, "follows", Ttl::from_secs(365 * 86_400))?;
    follows.add("ada", &["grace", "kay", "rosalind"]).await?;
    follows.add("bob", &["grace", "joan", "kay"]).await?;

    let mut out = std::io::stdout();
    let found = follows.contains_many("ada", &["grace", "joan"]).await?;
    writeln!(out, "ada follows grace: {}, joan: {}", found[0], found[1])?;
    // The two sets may be on different nodes of a cluster.
    let both = follows.intersection(["ada", "bob"], 20).await?;
    writeln!(out, "both follow: {}", both.join(", "))?;
    let only = follows.difference(["ada", "bob"], 20).await?;
    writeln!(out, "only ada follows: {}", only.join(", "))?;
    let winner = follows.pop("bob", 1).await?;
    writeln!(out, "the winner is {}", winner.join(""))?;
    Ok(())
}
