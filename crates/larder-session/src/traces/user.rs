use fastrand::Rng;
use larder_test::trace::{Step, after};

use super::{span, user};
use crate::EndReason;
use crate::session_record::SessionUser;
use crate::token::DeviceId;
use crate::user_record::{
    AtLimit, Enable, Enroll, ListSessions, PENDING, ReadRevocationState, Revoke, Seen, Withdraw,
};

/// Any program on a user.
pub(super) fn next(rng: &mut Rng) -> Box<dyn Step> {
    match rng.u8(..12) {
        0..=3 => {
            let life = span(rng);
            let mut looked: Vec<_> = (0..rng.usize(..3))
                .map(|_| (device(rng), seen(rng)))
                .collect();
            looked.dedup_by_key(|(id, _)| *id);
            let enroll = Enroll {
                session: device(rng),
                epoch: [rng.u8(..3); 16],
                life,
                limit: rng.i64(1..4),
                at_limit: [AtLimit::Unlist, AtLimit::Refuse, AtLimit::EndOldest][rng.usize(..3)],
                seen: looked,
            };
            after(enroll, vec![life, PENDING])
        }
        4 | 5 => after(ReadRevocationState, Vec::new()),
        6 => after(ListSessions, Vec::new()),
        7 => after(
            Withdraw {
                sessions: (0..rng.usize(..3)).map(|_| device(rng)).collect(),
            },
            Vec::new(),
        ),
        8 => after(Enable, Vec::new()),
        _ => {
            let by = rng.bool().then(|| {
                let user = SessionUser {
                    id: user(rng),
                    epoch: [rng.u8(..3); 16],
                    since: 0,
                    all: 0,
                    method: None,
                };
                (device(rng), user)
            });
            let revoke = Revoke {
                epoch: [rng.u8(..3); 16],
                reason: [EndReason::Administrator, EndReason::Disabled][rng.usize(..2)],
                disabled: [0, 0, 0, span(rng)][rng.usize(..4)],
                spared: rng.bool().then(|| device(rng)),
                by,
            };
            let deadline = revoke.disabled.max(1);
            after(revoke, vec![deadline])
        }
    }
}

/// A look at a session of a recent sign-in: traces begin at zero, and seldom last long.
fn seen(rng: &mut Rng) -> Seen {
    let since = [0, 1, 1_000, 60_000_000, i64::MAX >> 11][rng.usize(..5)];
    match rng.u8(..3) {
        0 => Seen::Absent,
        1 => Seen::Of(since, [rng.u8(..3); 16]),
        _ => Seen::Dead(since),
    }
}

fn device(rng: &mut Rng) -> DeviceId {
    // The first characters differ in case: text must be compared by its bytes.
    let texts = ["aaaa", "AAAA", "zzzz", "____", "----", "0000"];
    let text = format!("{}aaaaaaaaaaaaaaaaaA", texts[rng.usize(..texts.len())]);
    DeviceId::parse(text.as_bytes()).unwrap()
}
