//! Messages that larder did not send.

use std::sync::Arc;

use bytes::Bytes;
use larder_cache::MsgPack;
use larder_layer::envelope;
use larder_layer::tags::{Tag, TagChange, TagMessage};
use larder_store::bus::{Bus, Channel, Topic};

use super::cache::{FILM, Stand, far_key};
use super::{Outcome, Target, reading};
use crate::fuzz::mutate::mutate;
use crate::fuzz::values::{Drawn, Film};

/// The longest message.
const MAX: usize = 1_000;

pub(super) fn about_keys() -> Target {
    let channel = Channel::new(Topic::broadcast("cache-invalidated"), FILM.name());
    on(channel, |random| {
        let mut payload = vec![random.u8(..4)];
        payload.extend(random.u64(..).to_le_bytes());
        payload.extend(envelope::key_hash(&far_key()).to_le_bytes());
        payload
    })
}

pub(super) fn about_tags() -> Target {
    on(TagMessage::channel(), |random| {
        let message = TagMessage {
            sender: random.u64(..),
            change: match random.bool() {
                true => TagChange::Remove,
                false => TagChange::Expire,
            },
            tags: vec![Tag::new("films"); random.usize(..3)],
        };
        message.to_bytes()
    })
}

fn on(channel: Channel, draw: impl Fn(&mut fastrand::Rng) -> Vec<u8> + 'static) -> Target {
    let stand = Stand::new(MsgPack, true);
    let bus: Arc<dyn Bus> = stand.store.clone().bus().expect("a bus");
    let film = Film::draw(&mut fastrand::Rng::with_seed(1));
    let _ = stand.write(film.clone());
    Box::new(move |random| {
        let mut payload = draw(random);
        mutate(&mut payload, 0, random);
        payload.truncate(MAX);
        stand.runtime.block_on(async {
            let sent = bus.publish(&channel, Bytes::from(payload)).await;
            sent.expect("it is published");
            tokio::task::yield_now().await;
        });
        reading(|| match stand.read(&film, false) {
            Outcome::Refused => Outcome::Wrong,
            outcome => outcome,
        })
    })
}
