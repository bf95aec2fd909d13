use std::collections::BTreeMap;

use bytes::Bytes;
use larder_store::program::prelude::*;

use super::{Held, SessionRecord, Stored, stored};

/// Shows the user of a session, its times in microseconds, and the size of each field, by its name.
///
/// It shows no secret, no hash and no value.
#[derive(Clone, Copy, Debug, Default)]
pub struct InspectSession;

impl Program for InspectSession {
    type Record = SessionRecord;
    type Reply = Inspection;

    const SCRIPT: &'static Script =
        &Script::new("session-inspect", Effect::Read, include_str!("read.lua"));

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, SessionRecord>, _: Timestamp) -> Inspection {
        match record.get() {
            Some(held) => show(&held.0),
            None => Inspection::new(),
        }
    }

    fn reply(&self, wire: Wire) -> Result<Inspection> {
        let Some(bytes) = wire.read::<Option<Bytes>>()? else {
            return Ok(Inspection::new());
        };
        Ok(match stored::read(&bytes) {
            Some(held) => show(&held),
            None => Inspection::new().with("bytes that are not a session", bytes.len()),
        })
    }
}

fn show(held: &Held) -> Inspection {
    match held {
        Held::Live(held) => show_session(held),
        Held::Ended(ended) => {
            let why = ended.reason.map(|reason| format!("{reason:?}"));
            let why = why.unwrap_or_else(|| "a reason that was taken".to_owned());
            Inspection::new().with("ended", why)
        }
    }
}

fn show_session(held: &Stored) -> Inspection {
    let (metadata, fields) = (&held.metadata, &held.fields);
    let mut shown = Inspection::new();
    if let Some(user) = &metadata.user {
        shown = shown
            .with("user", &user.id)
            .with("signed_in_us", user.since);
    }
    shown = shown
        .with("generation", metadata.generation)
        .with("created_us", metadata.created)
        .with("secret_made_us", held.issued())
        .with("seen_us", metadata.seen)
        .with("idle_deadline_us", metadata.idle_at)
        .with("absolute_deadline_us", metadata.absolute_at)
        .with("weight", metadata.bytes)
        .with("own_idle_us", metadata.choice.idle(0));
    if let Some((_, until)) = held.outdated.as_deref() {
        shown = shown.with("secret_before_ends_us", until);
    }
    // The two forms of a program keep them in different orders.
    for (name, value) in fields.iter().collect::<BTreeMap<_, _>>() {
        shown = shown.with(format!("bytes of {name}"), value.len());
    }
    shown
}
