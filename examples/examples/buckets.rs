//! Counts by time: bookings of the last hour, and of each day of a week.
//!
//! `STORE_URL` is optional.
//!
//! ```text
//! $ cargo run -p larder-examples --example buckets
//! booked in the last hour: 3
//! booked on each of the last 7 days: 0 0 0 0 0 0 3
//! ```

use std::env::var;
use std::io::Write;
use std::time::Duration;

use larder_structures::buckets::{Buckets, Level};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    // Each booking is counted in its minute and in its day, by the server's clock.
    let booked = Buckets::new(store, "booked", &[Level::minutes(60), Level::days(7)])?;
    booked.add("metropolis", 2).await?;
    booked.add("metropolis", 1).await?;

    let mut out = std::io::stdout();
    let sum = booked.sum("metropolis", HOUR).await?;
    writeln!(out, "booked in the last hour: {sum}")?;
    let week = booked.series("metropolis", DAY, 7).await?;
    let days: Vec<_> = week.iter().map(|day| day.count.to_string()).collect();
    writeln!(out, "booked on each of the last 7 days: {}", days.join(" "))?;
    Ok(())
}
