//! Periodic jobs: each tick of a schedule is enqueued once, though two processes run it.
//!
//! `STORE_URL` is optional.
//!
//! ```text
//! $ cargo run -p larder-examples --example periodic
//! the nightly report is due 90 minutes after the new year of London, at half past two in Stockholm
//! a second has passed
//! another second has passed
//! ```

use std::env::var;
use std::io::Write;
use std::time::Duration;

use larder::queue::periodic::{Periodic, Schedule};
use larder::queue::{Job, NewJob, Queue};
use larder::store::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

#[derive(Serialize, Deserialize)]
struct Second;

impl Job for Second {
    const NAME: &'static str = "second";
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout();
    let nightly = Schedule::cron_in("Europe/Stockholm", "30 2 * * *")?;
    let new_year = Timestamp::from_micros(1_767_225_600_000_000);
    let next = nightly.next_after(new_year).ok_or("never")?;
    writeln!(
        out,
        "the nightly report is due {} minutes after the new year of London, at half past two in Stockholm",
        next.since(new_year).as_secs() / 60
    )?;

    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    let queue = Queue::new(store, "example-seconds")?;
    let (stop, stopped) = watch::channel(false);
    // As in two processes: the first one enqueues the tick.
    for _ in 0..2 {
        let each_second = Schedule::every(Duration::from_secs(1))?;
        let periodic = Periodic::new(queue.clone());
        let periodic = periodic.on("second", each_second, |_tick| NewJob::new(&Second))?;
        let mut stopped = stopped.clone();
        tokio::spawn(periodic.run_until(async move { drop(stopped.changed().await) }));
    }
    for text in ["a second has passed", "another second has passed"] {
        // A worker would run it; here it is dequeued by hand.
        for delivery in queue.dequeue_wait(1, Duration::from_secs(60)).await? {
            writeln!(out, "{text}")?;
            let _ = queue.ack(delivery.receipt()).await?;
        }
    }
    stop.send(true)?;
    Ok(())
}
