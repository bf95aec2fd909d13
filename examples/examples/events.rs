//! Events: seats that change live and resume after a break, and bookings that each group handles once.
//!
//! `STORE_URL` is optional.
//!
//! ```text
//! $ cargo run -p larder-examples --example events
//! live: F12 is held
//! resumed: Complete(2)
//! missed: F12 is sold, F13 is held
//! too late: Incomplete { lost: Some(1) }
//! mailer: booking 1, booking 2
//! a stale acknowledgement: Stale
//! statistics: booking 1, booking 2
//! the same message twice: one event
//! ```

use std::env::var;
use std::io::Write;
use std::sync::Arc;

use larder::events::log::{Batch, EventLog, MessageId};
use larder::events::topic::{Received, Subscriber, Topic};
use larder::store::bus;
use larder::{Store, Ttl};

const SEATS: bus::Topic = bus::Topic::sharded("seats");

type Done = Result<(), Box<dyn std::error::Error>>;

/// Returns the next message, as a page would show it.
async fn shown(seats: &mut Subscriber<String>) -> String {
    match seats.next().await {
        Some(Received::Message(message)) => message.value.to_string(),
        // Here the page would read the state again.
        other => format!("{other:?}"),
    }
}

/// The seats of a showing: a topic with a short history.
async fn seats(store: Arc<dyn Store>, out: &mut impl Write) -> Done {
    let seats = Topic::new(store, SEATS)?.with_history(3, Ttl::from_secs(60))?;
    let publish = async |text: &str| seats.publish(7_u32, &text.to_owned()).await;
    let mut window = seats.subscribe(7_u32).await?;
    publish("F12 is held").await?;
    writeln!(out, "live: {}", shown(&mut window).await)?;

    // The value that a browser sends as Last-Event-ID when it comes back.
    let last_event_id = window
        .position()
        .map(|at| at.to_string())
        .unwrap_or_default();
    drop(window);
    publish("F12 is sold").await?;
    publish("F13 is held").await?;
    let (mut window, recovered) = seats.resume(7_u32, last_event_id.parse()?).await?;
    writeln!(out, "resumed: {recovered:?}")?;
    writeln!(
        out,
        "missed: {}, {}",
        shown(&mut window).await,
        shown(&mut window).await
    )?;

    // The history holds three messages, so this position is now too old.
    for text in ["F13 is free", "F14 is held"] {
        publish(text).await?;
    }
    let (_, recovered) = seats.resume(7_u32, last_event_id.parse()?).await?;
    writeln!(out, "too late: {recovered:?}")?;
    Ok(())
}

fn bookings_of(batch: &Batch<u32>) -> String {
    let bookings = batch
        .deliveries
        .iter()
        .filter_map(|delivery| delivery.event);
    let bookings: Vec<_> = bookings
        .map(|booking| format!("booking {booking}"))
        .collect();
    bookings.join(", ")
}

/// Bookings: a log with one group that sends mails, and one that counts.
async fn bookings(store: Arc<dyn Store>, out: &mut impl Write) -> Done {
    let log = EventLog::<u32>::new(store, "bookings", Ttl::from_secs(86_400))?;
    for booking in [1, 2] {
        let id = booking.to_string();
        let message = MessageId {
            producer: "web",
            id: &id,
        };
        // If it is sent again, as after a lost answer, it is the same event.
        log.append_once("all", message, &booking).await?;
        log.append_once("all", message, &booking).await?;
    }
    let mailer = log.group("all", "mailer")?.consumer();
    let batch = mailer.read(10).await?;
    writeln!(out, "mailer: {}", bookings_of(&batch))?;
    // This process ends; another one takes over its events.
    let late = log.group("all", "mailer")?;
    late.remove_consumer(mailer.name()).await?;
    let next = late.consumer();
    let again = next.read(10).await?;
    writeln!(
        out,
        "a stale acknowledgement: {:?}",
        mailer.ack(&batch.deliveries[0]).await?
    )?;
    next.ack_many(&again.deliveries).await?;

    let statistics = log.group("all", "statistics")?.consumer();
    writeln!(
        out,
        "statistics: {}",
        bookings_of(&statistics.read(10).await?)
    )?;
    let is_one = log.info("all").await?.len == 2;
    writeln!(
        out,
        "the same message twice: {}",
        if is_one { "one event" } else { "two events" }
    )?;
    Ok(())
}

#[tokio::main]
async fn main() -> Done {
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    let mut out = std::io::stdout();
    seats(store.clone(), &mut out).await?;
    bookings(store, &mut out).await
}
