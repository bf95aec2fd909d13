//! A leaderboard: the most booked films, with a rank that ties share.
//!
//! `STORE_URL` is optional.
//!
//! ```text
//! $ cargo run -p larder-examples --example leaderboard
//! 1. Metropolis, 5 seats
//! 1. Nosferatu, 5 seats
//! 3. The General, 2 seats
//! around The General: Nosferatu, The General, Sunrise
//! Sunrise is number 4 of 4
//! ```

use std::env::var;
use std::io::Write;
use std::time::SystemTime;

use larder::Ttl;
use larder_structures::leaderboard::{Leaderboard, Ties, Window};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    let booked = Leaderboard::new(store, "booked", Ttl::from_secs(15 * 86_400))?
        .with_ties(Ties::Competition);
    // Each booking counts for the week and for all time, in one round trip.
    let now = SystemTime::now();
    let week = Window::Week.at(now);
    let bookings = [
        ("Nosferatu", 3),
        ("The General", 2),
        ("Metropolis", 5),
        ("Nosferatu", 2),
        ("Sunrise", 1),
    ];
    for (film, seats) in bookings {
        for placed in booked
            .add_to([week, Window::All.at(now)], film, seats)
            .await?
        {
            placed?;
        }
    }

    let mut out = std::io::stdout();
    for row in booked.top(week, 3).await? {
        writeln!(out, "{}. {}, {} seats", row.rank, row.member, row.score)?;
    }
    let around = booked.around(week, "The General", 1).await?;
    let around: Vec<_> = around.iter().flatten().map(|row| &*row.member).collect();
    writeln!(out, "around The General: {}", around.join(", "))?;
    if let Some(row) = booked.get(week, "Sunrise").await? {
        let all = booked.len(week).await?;
        writeln!(out, "{} is number {} of {all}", row.member, row.rank)?;
    }
    Ok(())
}
