use bytes::Bytes;
use larder_store::bus::{Channel, MAX_MESSAGE, SubscribeRequest};
use larder_store::{ErrorKind, Namespace, Prefixed, StoreExt};

use super::Outcome;
use super::bus_helpers::{FILM, FILMS, SEAT};
use super::scene::{Scene, cancel_after, is_error};

pub(super) async fn a_message_reaches_every_subscription(at: Scene<'_>) -> Outcome {
    let bus = at.bus()?;
    let mut hearings = Vec::new();
    for _ in 0..3 {
        hearings.push(
            at.hearing(&*bus, SubscribeRequest::to_channel(at.film(7)))
                .await?,
        );
    }
    bus.publish(&at.film(7), "one".into()).await?;
    for hearing in &mut hearings {
        hearing.hears(&at.film(7), "one").await?;
    }
    Ok(())
}

pub(super) async fn a_message_is_delivered_once(at: Scene<'_>) -> Outcome {
    let bus = at.bus()?;
    let mut hearing = at
        .hearing(&*bus, SubscribeRequest::to_channel(at.film(7)))
        .await?;
    bus.publish(&at.film(7), "one".into()).await?;
    bus.publish(&at.film(7), "two".into()).await?;
    hearing.hears(&at.film(7), "one").await?;
    hearing.hears(&at.film(7), "two").await
}

pub(super) async fn a_channel_that_is_named_twice_delivers_once(at: Scene<'_>) -> Outcome {
    let twice = SubscribeRequest::to_channel(at.film(7)).and_channel(at.film(7));
    heard_once(&at, twice).await
}

pub(super) async fn a_channel_of_a_requested_topic_delivers_once(at: Scene<'_>) -> Outcome {
    let twice = SubscribeRequest::to_channel(at.film(7)).and_topic(FILM);
    heard_once(&at, twice).await
}

async fn heard_once(at: &Scene<'_>, request: SubscribeRequest) -> Outcome {
    let bus = at.bus()?;
    let mut hearing = at.hearing(&*bus, request).await?;
    bus.publish(&at.film(7), "one".into()).await?;
    bus.publish(&at.film(7), "two".into()).await?;
    hearing.hears(&at.film(7), "one").await?;
    hearing.hears(&at.film(7), "two").await
}

pub(super) async fn a_subscription_gets_messages_of_all_its_channels(at: Scene<'_>) -> Outcome {
    let bus = at.bus()?;
    let seat = at.channel(SEAT, 1_u64);
    let both = SubscribeRequest::to_channel(at.film(7)).and_channel(seat.clone());
    let mut hearing = at.hearing(&*bus, both).await?;
    for channel in [at.film(7), seat] {
        bus.publish(&channel, "one".into()).await?;
        hearing.hears(&channel, "one").await?;
    }
    Ok(())
}

pub(super) async fn channels_of_a_topic_are_kept_apart(at: Scene<'_>) -> Outcome {
    hears_not(&at, at.film(7), at.film(8)).await
}

pub(super) async fn topics_keep_equal_ids_apart(at: Scene<'_>) -> Outcome {
    hears_not(&at, at.film(7), at.channel(FILMS, 7_u64)).await
}

/// Checks that a subscription to one channel gets nothing of the other.
async fn hears_not(at: &Scene<'_>, mine: Channel, other: Channel) -> Outcome {
    let bus = at.bus()?;
    let mut hearing = at
        .hearing(&*bus, SubscribeRequest::to_channel(mine.clone()))
        .await?;
    let mut others = at
        .hearing(&*bus, SubscribeRequest::to_channel(other.clone()))
        .await?;
    bus.publish(&other, "not for you".into()).await?;
    others.hears(&other, "not for you").await?;
    bus.publish(&mine, "for you".into()).await?;
    hearing.hears(&mine, "for you").await
}

pub(super) async fn channels_of_any_characters_are_kept_apart(at: Scene<'_>) -> Outcome {
    let bus = at.bus()?;
    let ids = [
        "",
        " ",
        "*",
        "?",
        "[a]",
        "%",
        ":",
        "a:b",
        "{a}",
        "a",
        "a\n",
        "a\0",
        "\u{1f3ac}",
        "\\",
        "#",
    ];
    let channels = ids.map(|id| at.channel(FILM, id));
    let mut hearings = Vec::new();
    for channel in &channels {
        hearings.push(
            at.hearing(&*bus, SubscribeRequest::to_channel(channel.clone()))
                .await?,
        );
    }
    for text in ["one", "two"] {
        for (channel, hearing) in channels.iter().zip(&mut hearings) {
            bus.publish(channel, text.into()).await?;
            hearing.hears(channel, text).await?;
        }
    }
    Ok(())
}

pub(super) async fn channels_keep_their_case(at: Scene<'_>) -> Outcome {
    hears_not(&at, at.channel(FILM, "ada"), at.channel(FILM, "Ada")).await
}

pub(super) async fn namespaces_get_no_messages_of_each_other(at: Scene<'_>) -> Outcome {
    let inside = |app| {
        let namespace = Namespace::new("law", app)?;
        std::sync::Arc::new(Prefixed::new(namespace, at.store.clone())).require_bus("a law")
    };
    let (mine, other) = (inside("mine")?, inside("other")?);
    let both = SubscribeRequest::to_channel(at.film(7)).and_topic(FILMS);
    let mut hearing = at.hearing(&*mine, both).await?;
    for channel in [at.film(7), at.channel(FILMS, 1_u64)] {
        for bus in [&at.bus()?, &other] {
            bus.publish(&channel, "not for you".into()).await?;
        }
        mine.publish(&channel, "for you".into()).await?;
        hearing.hears(&channel, "for you").await?;
    }
    Ok(())
}

pub(super) async fn a_topic_delivers_from_all_its_channels(at: Scene<'_>) -> Outcome {
    let bus = at.bus()?;
    let mut hearing = at.hearing(&*bus, SubscribeRequest::to_topic(FILM)).await?;
    for id in 0..10 {
        bus.publish(&at.film(id), "one".into()).await?;
        hearing.hears(&at.film(id), "one").await?;
    }
    Ok(())
}

pub(super) async fn a_topic_does_not_deliver_from_a_similar_one(at: Scene<'_>) -> Outcome {
    let bus = at.bus()?;
    let mut hearing = at.hearing(&*bus, SubscribeRequest::to_topic(FILM)).await?;
    bus.publish(&at.channel(FILMS, 7_u64), "not for you".into())
        .await?;
    bus.publish(&at.film(7), "for you".into()).await?;
    hearing.hears(&at.film(7), "for you").await
}

pub(super) async fn subscribing_to_a_whole_sharded_topic_is_refused(at: Scene<'_>) -> Outcome {
    let all = SubscribeRequest::to_topic(SEAT);
    let answer = at.bus()?.subscribe(all).await;
    is_error(
        answer,
        ErrorKind::Invalid,
        "subscribe to all of a sharded topic",
    )
}

pub(super) async fn an_empty_subscribe_request_is_refused(at: Scene<'_>) -> Outcome {
    let answer = at.bus()?.subscribe(SubscribeRequest::default()).await;
    is_error(answer, ErrorKind::Invalid, "subscribe to nothing")
}

pub(super) async fn a_message_that_is_too_large_is_refused(at: Scene<'_>) -> Outcome {
    let bus = at.bus()?;
    let mut hearing = at
        .hearing(&*bus, SubscribeRequest::to_channel(at.film(7)))
        .await?;
    let large = Bytes::from(vec![b'x'; MAX_MESSAGE + 1]);
    let answer = bus.publish(&at.film(7), large).await;
    is_error(answer, ErrorKind::TooLarge, "publish of 64 KiB and a byte")?;
    bus.publish(&at.film(7), "small".into()).await?;
    hearing.hears(&at.film(7), "small").await
}

pub(super) async fn the_largest_message_arrives_whole(at: Scene<'_>) -> Outcome {
    let largest: Vec<u8> = (0..MAX_MESSAGE).map(|at| (at % 251) as u8 | 1).collect();
    arrives(&at, largest.into()).await
}

pub(super) async fn an_empty_message_arrives(at: Scene<'_>) -> Outcome {
    arrives(&at, Bytes::new()).await
}

pub(super) async fn a_message_of_any_bytes_arrives(at: Scene<'_>) -> Outcome {
    let bytes: Vec<u8> = (1..=255).chain(0..=255).chain(*b"\r\n$1\r\n").collect();
    arrives(&at, bytes.into()).await
}

async fn arrives(at: &Scene<'_>, payload: Bytes) -> Outcome {
    let bus = at.bus()?;
    let mut hearing = at
        .hearing(&*bus, SubscribeRequest::to_channel(at.film(7)))
        .await?;
    bus.publish(&at.film(7), payload.clone()).await?;
    hearing.hears(&at.film(7), payload).await
}

pub(super) async fn a_message_without_subscribers_is_not_an_error(at: Scene<'_>) -> Outcome {
    Ok(at.bus()?.publish(&at.film(7), "to nobody".into()).await?)
}

pub(super) async fn a_cancelled_subscribe_leaves_nothing(at: Scene<'_>) -> Outcome {
    let bus = at.bus()?;
    for polls in 1..=6_usize {
        let channel = at.film(polls);
        let _ = cancel_after(
            polls,
            bus.subscribe(SubscribeRequest::to_channel(channel.clone())),
        )
        .await;
        let mut hearing = at
            .hearing(&*bus, SubscribeRequest::to_channel(channel.clone()))
            .await?;
        for text in ["one", "two"] {
            bus.publish(&channel, text.into()).await?;
            hearing.hears(&channel, text).await?;
        }
    }
    Ok(())
}
