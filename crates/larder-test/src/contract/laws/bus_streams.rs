use std::num::NonZeroUsize;

use bytes::Bytes;
use larder_store::bus::{Bus, Event, SubscribeRequest};

use super::bus_helpers::{FILM, Hearing, SEAT};
use super::scene::{Scene, race};
use super::{Outcome, Violation};

pub(super) async fn a_message_right_after_subscribe_arrives(at: Scene<'_>) -> Outcome {
    let bus = at.bus()?;
    for round in 0..1_000 {
        // The first 300 channels are new, and later ones are repeated.
        let channel = at.channel(SEAT, round % 300);
        let mut hearing = at
            .hearing(&*bus, SubscribeRequest::to_channel(channel.clone()))
            .await?;
        bus.publish(&channel, round.to_string().into()).await?;
        hearing.hears(&channel, round.to_string()).await?;
    }
    Ok(())
}

pub(super) async fn messages_of_a_publisher_keep_their_order(at: Scene<'_>) -> Outcome {
    let bus = at.bus()?;
    let mut by_channel = at
        .hearing(&*bus, SubscribeRequest::to_channel(at.film(7)))
        .await?;
    let mut by_topic = at.hearing(&*bus, SubscribeRequest::to_topic(FILM)).await?;
    for number in 0..200 {
        bus.publish(&at.film(7), number.to_string().into()).await?;
    }
    for number in 0..200 {
        by_channel.hears(&at.film(7), number.to_string()).await?;
        by_topic.hears(&at.film(7), number.to_string()).await?;
    }
    Ok(())
}

pub(super) async fn concurrent_publishers_lose_nothing(at: Scene<'_>) -> Outcome {
    const PUBLISHERS: usize = 16;
    const EACH: usize = 40;
    let bus = at.bus()?;
    let room = NonZeroUsize::new(PUBLISHERS * EACH).unwrap_or(NonZeroUsize::MAX);
    let request = SubscribeRequest::to_channel(at.film(7)).with_buffer(room);
    let mut hearing = at.hearing(&*bus, request).await?;
    race(PUBLISHERS, |publisher| {
        let (bus, channel) = (bus.clone(), at.film(7));
        async move {
            for number in 0..EACH {
                let text = Bytes::from(vec![publisher as u8, number as u8]);
                bus.publish(&channel, text).await?;
            }
            Ok(())
        }
    })
    .await?;
    let mut heard = [0; PUBLISHERS];
    for _ in 0..PUBLISHERS * EACH {
        let event = hearing.next().await?;
        let number = match &event {
            Event::Message(message) => match message.payload[..] {
                [publisher, number] => heard.get_mut(usize::from(publisher)).zip(Some(number)),
                _ => None,
            },
            Event::Gap => None,
        };
        let Some((expected, number)) = number else {
            let text = format!("expected a message of a publisher, got {event:?}");
            return Err(Violation::new(text));
        };
        ensure_eq!(number, *expected, "the next message of a publisher");
        *expected += 1;
    }
    Ok(())
}

pub(super) async fn a_subscription_gets_no_earlier_messages(at: Scene<'_>) -> Outcome {
    let bus = at.bus()?;
    let mut earlier = at
        .hearing(&*bus, SubscribeRequest::to_channel(at.film(7)))
        .await?;
    bus.publish(&at.film(7), "before".into()).await?;
    earlier.hears(&at.film(7), "before").await?;
    let mut hearing = at
        .hearing(&*bus, SubscribeRequest::to_channel(at.film(7)))
        .await?;
    bus.publish(&at.film(7), "after".into()).await?;
    hearing.hears(&at.film(7), "after").await
}

pub(super) async fn a_dropped_subscription_leaves_its_siblings(at: Scene<'_>) -> Outcome {
    let bus = at.bus()?;
    let dropped = at
        .hearing(&*bus, SubscribeRequest::to_channel(at.film(7)))
        .await?;
    let mut sibling = at
        .hearing(&*bus, SubscribeRequest::to_channel(at.film(7)))
        .await?;
    drop(dropped);
    for text in ["one", "two"] {
        bus.publish(&at.film(7), text.into()).await?;
        sibling.hears(&at.film(7), text).await?;
    }
    Ok(())
}

pub(super) async fn a_full_buffer_gives_one_gap_in_its_place(at: Scene<'_>) -> Outcome {
    let bus = at.bus()?;
    let mut slow = flooded(&at, &*bus).await?;
    for number in 0..ROOM {
        slow.hears(&at.film(7), number.to_string()).await?;
    }
    ensure_eq!(
        slow.next().await?,
        Event::Gap,
        "after the messages that had room"
    );
    bus.publish(&at.film(7), "again".into()).await?;
    // The last messages of the flood may still have been in transit when the gap was received.
    let mut last = ROOM;
    loop {
        match slow.next().await? {
            Event::Message(message) if message.payload == "again" => return Ok(()),
            Event::Message(message) => {
                let number = std::str::from_utf8(&message.payload).unwrap_or_default();
                let number = number.parse().unwrap_or(0);
                ensure!(
                    number > last,
                    "after a gap: expected a later message, got {number}"
                );
                last = number;
            }
            Event::Gap => ensure!(false, "after a gap: expected messages, got another gap"),
        }
    }
}

pub(super) async fn a_slow_subscription_costs_others_no_messages(at: Scene<'_>) -> Outcome {
    let bus = at.bus()?;
    flooded(&at, &*bus).await?;
    Ok(())
}

/// The buffer of the slow subscription, in messages.
const ROOM: usize = 4;

/// Returns a subscription with a buffer of four messages, after 24 messages were sent.
///
/// Another subscription, with a larger buffer, gets all of them.
async fn flooded(at: &Scene<'_>, bus: &dyn Bus) -> Outcome<Hearing> {
    let request = SubscribeRequest::to_channel(at.film(7));
    let room = NonZeroUsize::new(ROOM).unwrap_or(NonZeroUsize::MIN);
    let slow = at.hearing(bus, request.with_buffer(room)).await?;
    let mut other = at.hearing(bus, SubscribeRequest::to_topic(FILM)).await?;
    for number in 0..ROOM + 20 {
        bus.publish(&at.film(7), number.to_string().into()).await?;
    }
    for number in 0..ROOM + 20 {
        other.hears(&at.film(7), number.to_string()).await?;
    }
    Ok(slow)
}
