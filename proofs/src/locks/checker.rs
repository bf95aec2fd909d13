//! Whether a history is one that locks with fences allow.

use crate::leases::{Event, What};

/// Returns the violations in a history, one line each. Empty if there are none.
///
/// Two events are compared only if one ended before the other began: otherwise their order is unknown.
#[must_use]
pub fn violations(history: &[Event]) -> Vec<String> {
    let mut keys: Vec<_> = history.iter().map(|event| event.key).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut wrong = Vec::new();
    for key in keys {
        let events: Vec<_> = history.iter().filter(|event| event.key == key).collect();
        let found = on_one_key(&events);
        wrong.extend(found.into_iter().map(|what| format!("lock {key}: {what}")));
    }
    wrong
}

fn on_one_key(events: &[&Event]) -> Vec<String> {
    let mut wrong = Vec::new();
    for event in events {
        let before = |is: fn(What) -> Option<u64>| {
            let earlier = events.iter().filter(|one| one.ended < event.began);
            earlier.filter_map(|one| is(one.what)).max()
        };
        match event.what {
            What::Lead(fence) => {
                let given = events.iter().filter(|one| one.what == event.what).count();
                if given > 1 {
                    wrong.push(format!("fence {fence} was given {given} times"));
                }
                if let Some(last) = before(leads).filter(|last| *last > fence) {
                    wrong.push(format!("fence {fence} was given after {last}"));
                }
            }
            What::Commit(fence) => {
                if let Some(last) = before(shown).filter(|last| *last > fence) {
                    wrong.push(format!("stale fence {fence} wrote after {last} had"));
                }
            }
            What::Read(fence) => {
                let last = before(shown).filter(|last| *last > fence);
                // The answer to a put that was carried out may be lost, but it is not that it was refused.
                let wrote = [What::Commit(fence), What::Lost(fence)];
                if let Some(last) = last {
                    wrong.push(format!("fence {fence} was read after {last} was there"));
                } else if !events.iter().any(|one| wrote.contains(&one.what)) {
                    wrong.push(format!(
                        "fence {fence} was read, but no put of it may have written"
                    ));
                }
            }
            What::Release(fence) => {
                let Some(lead) = events.iter().find(|one| one.what == What::Lead(fence)) else {
                    wrong.push(format!("fence {fence} was released and never given"));
                    continue;
                };
                // Held to the end, so until then nobody else was given the lock. A higher fence was given
                // later, however long its holder had waited for it.
                let inside = events.iter().find(|one| {
                    let is_later = one.began > lead.ended
                        || leads(one.what).is_some_and(|other| other > fence);
                    leads(one.what).is_some() && is_later && one.ended < event.began
                });
                if let Some(other) = inside.and_then(|one| leads(one.what)) {
                    wrong.push(format!("fence {other} was given while {fence} was held"));
                }
            }
            _ => {}
        }
    }
    wrong
}

fn leads(what: What) -> Option<u64> {
    match what {
        What::Lead(fence) => Some(fence),
        _ => None,
    }
}

fn shown(what: What) -> Option<u64> {
    match what {
        What::Commit(fence) | What::Read(fence) => Some(fence),
        _ => None,
    }
}
