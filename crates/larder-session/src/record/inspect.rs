use larder_store::{Args, Effect, Inspection, Program, Result, Script, Slot, Timestamp, Wire};

use super::{SessionRecord, Stored, stored, wire};

/// Shows whose a session is, its times in microseconds, and the length of each field, for people and
/// tools. It shows no secret, no hash and no value.
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
        let Some(bytes) = wire::optional(wire, Wire::bytes)? else {
            return Ok(Inspection::new());
        };
        Ok(match stored::read(&bytes) {
            Some(held) => show(&held),
            None => Inspection::new().with("bytes that are no session", bytes.len()),
        })
    }
}

fn show(held: &Stored) -> Inspection {
    let (about, fields) = (&held.about, &held.fields);
    let mut shown = Inspection::new();
    if let Some(owner) = &about.owner {
        shown = shown
            .with("user", &owner.user)
            .with("signed_in_us", owner.since);
    }
    shown = shown
        .with("era", about.era)
        .with("created_us", about.created)
        .with("seen_us", about.seen)
        .with("idle_deadline_us", about.idle_at)
        .with("absolute_deadline_us", about.absolute_at)
        .with("weight", about.bytes)
        .with("own_idle_us", about.choice.idle(0));
    for (name, value) in &**fields {
        shown = shown.with(format!("bytes of {name}"), value.len());
    }
    shown
}
