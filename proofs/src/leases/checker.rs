//! Whether a history is one that leases allow.

use super::event::{Event, What};

/// Returns the violations in a history, one line each. Empty if there are none.
///
/// Two events are compared only if one ended before the other began: otherwise their order is unknown.
#[must_use]
pub fn violations(history: &[Event]) -> Vec<String> {
    let keys = history.iter().map(|event| event.key);
    let Some(last) = keys.max() else {
        return Vec::new();
    };
    (0..=last)
        .flat_map(|key| {
            let of_key = history.iter().filter(|event| event.key == key);
            let mut events: Vec<_> = of_key.copied().collect();
            events.sort_unstable_by_key(|event| event.began);
            on_one_key(&events)
        })
        .collect()
}

/// Events in the order in which they began.
fn on_one_key(events: &[Event]) -> Vec<String> {
    let mut wrong = Vec::new();
    for event in events {
        let what = match event.what {
            What::Lead(fence) => highest(events, event, leads)
                .filter(|before| *before >= fence)
                .map(|before| format!("fence {fence} was granted after {before}"))
                .or_else(|| granted_beside(events, event)),
            What::Commit(fence) => outdated(events, event, fence),
            What::Read(fence) => highest(events, event, shown)
                .filter(|before| *before > fence)
                .map(|before| format!("fence {fence} was read after {before} was there"))
                .or_else(|| read_in_vain(events, event, fence)),
            What::Refused(_)
            | What::Lost(_)
            | What::Release(_)
            | What::Invalidate
            | What::Busy
            | What::Failed => None,
        };
        wrong.extend(what.map(|what| format!("key {}: {what}", event.key)));
    }
    wrong
}

/// Returns that the fence of `grant` was also granted to a claim that overlaps it: these have no order.
fn granted_beside(events: &[Event], grant: &Event) -> Option<String> {
    let grants = events.iter().filter(|one| one.what == grant.what);
    let overlapping = grants.filter(|one| one.began <= grant.ended && grant.began <= one.ended);
    let times = overlapping.count();
    (times > 1).then(|| format!("{:?} was answered {times} times", grant.what))
}

/// Returns why `commit`, which wrote with `fence`, must have been refused.
fn outdated(events: &[Event], commit: &Event, fence: u64) -> Option<String> {
    highest(events, commit, leads)
        .filter(|before| *before > fence)
        .map(|before| format!("fence {fence} committed after {before} was granted"))
        .or_else(|| {
            let is_invalidated = is_invalidated(events, fence, commit);
            is_invalidated.then(|| format!("fence {fence} committed after an invalidation"))
        })
}

/// Returns why `read` must not have shown what `fence` wrote.
fn read_in_vain(events: &[Event], read: &Event, fence: u64) -> Option<String> {
    if is_invalidated(events, fence, read) {
        return Some(format!("fence {fence} was read after an invalidation"));
    }
    let mut may_have_written = false;
    for one in events {
        match one.what {
            What::Refused(refused) if refused == fence => {
                return Some(format!(
                    "fence {fence} was read although its commit was refused"
                ));
            }
            What::Commit(commit) if commit == fence => may_have_written = true,
            // What is read was written, even if the answer to the writer was lost.
            What::Lost(lost) if lost == fence => {
                may_have_written = true;
                if let Some(why) = outdated(events, one, fence) {
                    return Some(why);
                }
            }
            _ => {}
        }
    }
    (!may_have_written).then(|| format!("fence {fence} was read, but no commit of it was sent"))
}

/// Returns whether there was an invalidation between the grant of `fence` and `event`.
fn is_invalidated(events: &[Event], fence: u64, event: &Event) -> bool {
    let granted = events.iter().find(|one| one.what == What::Lead(fence));
    granted.is_some_and(|granted| {
        events.iter().any(|one| {
            one.what == What::Invalidate && one.began > granted.ended && one.ended < event.began
        })
    })
}

/// Returns the highest fence of the events that ended before this one began.
fn highest(events: &[Event], this: &Event, fence: fn(What) -> Option<u64>) -> Option<u64> {
    let before = events
        .iter()
        .take_while(|event| event.began < this.began)
        .filter(|event| event.ended < this.began);
    before.filter_map(|event| fence(event.what)).max()
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
