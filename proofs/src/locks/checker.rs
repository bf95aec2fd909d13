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
                if let Some(last) = before(commits).filter(|last| *last > fence) {
                    wrong.push(format!("stale fence {fence} wrote after {last} had"));
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

fn commits(what: What) -> Option<u64> {
    match what {
        What::Commit(fence) => Some(fence),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(began: u64, what: What) -> Event {
        from_to(began, began + 5, what)
    }

    fn from_to(began: u64, ended: u64, what: What) -> Event {
        Event {
            key: 3,
            began,
            ended,
            what,
        }
    }

    #[test]
    fn a_history_of_one_after_the_other_is_allowed() {
        let history = [
            at(0, What::Lead(10)),
            at(10, What::Commit(10)),
            at(20, What::Release(10)),
            // At the same time as the release.
            at(22, What::Lead(11)),
            at(40, What::Lead(12)),
            at(50, What::Commit(12)),
            at(60, What::Refused(11)),
            at(70, What::Lost(12)),
            at(80, What::Release(12)),
        ];
        assert_eq!(violations(&history), [""; 0]);
    }

    #[test]
    fn what_locks_forbid_is_found() {
        let twice = vec![at(0, What::Lead(10)), at(2, What::Lead(10))];
        assert_eq!(violations(&twice).len(), 2);
        for (history, what) in [
            (
                vec![at(0, What::Lead(11)), at(10, What::Lead(10))],
                "given after 11",
            ),
            (
                vec![at(0, What::Commit(11)), at(10, What::Commit(10))],
                "stale fence 10",
            ),
            (
                vec![
                    at(0, What::Lead(10)),
                    at(10, What::Lead(11)),
                    at(20, What::Release(10)),
                ],
                "while 10 was held",
            ),
            (vec![at(0, What::Release(10))], "never given"),
            (
                // It has waited since before the holder came.
                vec![
                    from_to(0, 10, What::Lead(10)),
                    from_to(1, 20, What::Lead(11)),
                    at(30, What::Release(10)),
                ],
                "fence 11 was given while 10 was held",
            ),
        ] {
            let found = violations(&history);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(what), "{found:?}");
        }
    }
}
