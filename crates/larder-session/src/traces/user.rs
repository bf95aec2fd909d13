use fastrand::Rng;
use larder_test::trace::{Step, after};

use super::{span, user};
use crate::EndReason;
use crate::session_record::SessionUser;
use crate::token::DeviceId;
use crate::user_record::{
    AtLimit, Enable, Enroll, ListSessions, ReadRevocationState, Revoke, Withdraw,
};

/// Any program on a user.
pub(super) fn next(rng: &mut Rng) -> Box<dyn Step> {
    match rng.u8(..12) {
        0..=3 => {
            let life = span(rng);
            let enroll = Enroll {
                session: device(rng),
                epoch: [rng.u8(..3); 16],
                life,
                limit: rng.i64(1..4),
                at_limit: [AtLimit::Unlist, AtLimit::Refuse, AtLimit::EndOldest][rng.usize(..3)],
            };
            after(enroll, vec![life])
        }
        4 | 5 => after(ReadRevocationState, Vec::new()),
        6 => after(ListSessions, Vec::new()),
        7 => after(
            Withdraw {
                age: [0, 1, 1_000][rng.usize(..3)],
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

fn device(rng: &mut Rng) -> DeviceId {
    // The first characters differ in case: text is to be compared by its bytes.
    let texts = ["aaaa", "AAAA", "zzzz", "____", "----", "0000"];
    let text = format!("{}aaaaaaaaaaaaaaaaaA", texts[rng.usize(..texts.len())]);
    DeviceId::parse(text.as_bytes()).unwrap()
}
