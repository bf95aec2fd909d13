use async_trait::async_trait;
use fastrand::Rng;
use larder_store::program::Programs;
use larder_store::{Key, Timestamp};
use larder_test::trace::{Observed, Step, after};

use super::{span, user};
use crate::EndReason;
use crate::session_record::SessionUser;
use crate::token::DeviceId;
use crate::user_record::{
    AtLimit, Enable, Enroll, ListSessions, Mark, PENDING, ReadRevocationState, Revoke, Seen,
    Withdraw,
};

/// Any program on a user.
pub(super) fn next(rng: &mut Rng) -> Box<dyn Step> {
    match rng.u8(..14) {
        0..=3 => {
            let life = span(rng);
            let looked_up = [0, 1, 4][rng.usize(..3)];
            let looked: Vec<_> = DEVICES.iter().filter(|_| rng.u8(..4) < looked_up).collect();
            let looked = looked
                .into_iter()
                .map(|text| (device(text), seen(rng)))
                .collect();
            let enroll = Enroll {
                session: any_device(rng),
                epoch: [rng.u8(..3); 16],
                life,
                limit: rng.i64(1..4),
                at_limit: [AtLimit::Unlist, AtLimit::Refuse, AtLimit::EndOldest][rng.usize(..3)],
                max_evicted: rng.i64(0..4),
                seen: looked,
            };
            Box::new(Looked(enroll))
        }
        4 | 5 => after(ReadRevocationState, Vec::new()),
        6 => {
            let with_evicted = rng.bool();
            after(ListSessions { with_evicted }, Vec::new())
        }
        7 => after(
            Withdraw {
                sessions: (0..rng.usize(..3)).map(|_| any_device(rng)).collect(),
            },
            Vec::new(),
        ),
        8 => after(Enable, Vec::new()),
        9 | 10 => {
            let span = [0, span(rng), span(rng)][rng.usize(..3)];
            let mark = Mark {
                by: asker(rng),
                session: one_of_two(rng),
                span,
            };
            after(mark, vec![span.max(1)])
        }
        _ => {
            let by = rng.bool().then(|| asker(rng));
            let revoke = Revoke {
                epoch: [rng.u8(..3); 16],
                reason: [EndReason::Administrator, EndReason::Disabled][rng.usize(..2)],
                disabled: [0, 0, 0, span(rng)][rng.usize(..4)],
                spared: rng.bool().then(|| any_device(rng)),
                by,
            };
            let deadline = revoke.disabled.max(1);
            after(revoke, vec![deadline])
        }
    }
}

/// A session that revokes others.
fn asker(rng: &mut Rng) -> (DeviceId, SessionUser) {
    let user = SessionUser {
        id: user(rng),
        epoch: [rng.u8(..3); 16],
        since: 0,
        all: 0,
        method: None,
    };
    (one_of_two(rng), user)
}

/// Few, so that one that revokes is often about to be revoked.
fn one_of_two(rng: &mut Rng) -> DeviceId {
    device(DEVICES[rng.usize(..2)])
}

/// Adds a session after a look at others, whose sign-ins are so long before.
struct Looked(Enroll);

#[async_trait]
impl Step for Looked {
    fn name(&self) -> &str {
        "Enroll"
    }

    async fn run(&self, programs: &dyn Programs, key: &Key, now: Timestamp) -> Observed {
        let mut enroll = self.0.clone();
        for (_, seen) in &mut enroll.seen {
            if let Seen::Of(since, _) | Seen::Dead(since) = seen {
                *since = now.as_micros() - *since;
            }
        }
        let spans = vec![enroll.life, PENDING];
        after(enroll, spans).run(programs, key, now).await
    }
}

/// A look at a session of a sign-in so long before.
fn seen(rng: &mut Rng) -> Seen {
    let since = [0, 0, 1, 1_000, 60_000_000, -1][rng.usize(..6)];
    match rng.u8(..3) {
        0 => Seen::Absent,
        1 => Seen::Of(since, [rng.u8(..3); 16]),
        _ => Seen::Dead(since),
    }
}

// The first characters differ in case: text must be compared by its bytes.
const DEVICES: [&str; 6] = ["aaaa", "AAAA", "zzzz", "____", "----", "0000"];

fn any_device(rng: &mut Rng) -> DeviceId {
    device(DEVICES[rng.usize(..DEVICES.len())])
}

fn device(text: &str) -> DeviceId {
    DeviceId::parse(format!("{text}aaaaaaaaaaaaaaaaaA").as_bytes()).unwrap()
}
