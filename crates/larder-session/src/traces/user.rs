use fastrand::Rng;
use larder_test::trace::{Step, after};

use super::{span, user};
use crate::session_record::SessionUser;
use crate::token::DeviceId;
use crate::user_record::{Enroll, ListSessions, ReadRevocationState, Revoke, Withdraw};

/// Any program on a user.
pub(super) fn next(rng: &mut Rng) -> Box<dyn Step> {
    match rng.u8(..10) {
        0..=3 => {
            let life = span(rng);
            let enroll = Enroll {
                session: device(rng),
                epoch: [rng.u8(..3); 16],
                life,
                cap: rng.i64(1..4),
            };
            after(enroll, vec![life])
        }
        4 | 5 => after(ReadRevocationState, Vec::new()),
        6 => after(ListSessions, Vec::new()),
        7 => after(
            Withdraw((0..rng.usize(..3)).map(|_| device(rng)).collect()),
            Vec::new(),
        ),
        _ => {
            let by = rng.bool().then(|| {
                let user = SessionUser {
                    id: user(rng),
                    epoch: [rng.u8(..3); 16],
                    since: 0,
                };
                (device(rng), user)
            });
            let revoke = Revoke {
                epoch: [rng.u8(..3); 16],
                spared: rng.bool().then(|| device(rng)),
                by,
            };
            after(revoke, Vec::new())
        }
    }
}

fn device(rng: &mut Rng) -> DeviceId {
    // The first characters differ in case: text is to be compared by its bytes.
    let texts = ["aaaa", "AAAA", "zzzz", "____", "----", "0000"];
    let text = format!("{}aaaaaaaaaaaaaaaaaA", texts[rng.usize(..texts.len())]);
    DeviceId::parse(text.as_bytes()).unwrap()
}
