//! A counter with a bound: seats are reserved until there are no more.
//!
//! `STORE_URL` is optional.
//!
//! ```text
//! $ cargo run -p larder-examples --example counter
//! 3 seats: reserved, 3 of 5 are taken
//! 3 seats: there are not so many, 3 of 5 are taken
//! 2 seats: reserved, 5 of 5 are taken
//! 4 given back: 1 of 5 is taken
//! ```

use std::env::var;
use std::io::Write;

use larder::Ttl;
use larder_structures::counter::{Counter, Overflow};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    // A refused addition changes nothing, so two processes never both take the last seat.
    let seats = Counter::new(store, "seats", Ttl::from_secs(86_400))?
        .with_bounds(0..=5, Overflow::Refuse)?;
    let mut out = std::io::stdout();
    for many in [3, 3, 2] {
        let added = seats.add("monday", many).await?;
        let answer = match added.bounded {
            false => "reserved",
            true => "there are not so many",
        };
        writeln!(
            out,
            "{many} seats: {answer}, {} of 5 are taken",
            added.value
        )?;
    }
    let left = seats.add("monday", -4).await?.value;
    writeln!(out, "4 given back: {left} of 5 is taken")?;
    seats.take("monday").await?;
    Ok(())
}
