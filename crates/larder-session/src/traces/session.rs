use bytes::Bytes;
use fastrand::Rng;
use larder_store::{Timestamp, Ttl};
use larder_test::trace::{Step, after, step};

use super::{SPANS, one_of, user};
use crate::EndReason;
use crate::session_record::{
    Apply, Change, Choice, Create, Destroy, Held, Left, Peek, Read, Rotate, SessionUser, SignIn,
    TakeReason, Touch, Whose,
};

/// What all steps of a trace share.
#[derive(Clone, Copy)]
struct Shared {
    spans: &'static [i64],
    /// The number of different secrets: a request seldom has the right one of many.
    secrets: u8,
}

impl Shared {
    fn draw(rng: &mut Rng) -> Self {
        Self {
            spans: SPANS[rng.usize(..SPANS.len())],
            secrets: rng.u8(2..4),
        }
    }

    fn span(self, rng: &mut Rng) -> i64 {
        one_of(rng, self.spans)
    }

    fn hash(self, rng: &mut Rng) -> [u8; 32] {
        [rng.u8(..self.secrets) + 1; 32]
    }

    fn keep(self, rng: &mut Rng) -> Ttl {
        Ttl::covering_micros(self.span(rng))
    }

    fn choice(self, rng: &mut Rng) -> Choice {
        let own = rng.bool();
        let idle = if own { self.span(rng) } else { 0 };
        let touch = [0, 1, 700][rng.usize(..3)];
        Choice::read(idle, touch, rng.i64(0..3)).unwrap()
    }
}

/// Draws any program on a session.
pub(super) fn next() -> impl FnMut(&mut Rng) -> Box<dyn Step> {
    let mut known = None;
    move |rng| {
        let shared = *known.get_or_insert_with(|| Shared::draw(rng));
        draw(rng, shared)
    }
}

fn draw(rng: &mut Rng, shared: Shared) -> Box<dyn Step> {
    let (idle, absolute) = (shared.span(rng), shared.span(rng));
    match rng.u8(..20) {
        0 | 1 => step(Read, |stored, _| match stored {
            None => Vec::new(),
            Some(Held::Ended(ended)) => {
                vec![Timestamp::from_micros(Held::Ended(ended.clone()).ends())]
            }
            Some(Held::Live(stored)) => [stored.metadata.idle_at, stored.metadata.absolute_at]
                .map(Timestamp::from_micros)
                .to_vec(),
        }),
        2 => after(Left, Vec::new()),
        3 | 4 => {
            let touch = [0, 1, 500, 1_000_000][rng.usize(..4)];
            after(Touch { idle, touch }, vec![idle])
        }
        5..=8 => {
            let names = ["a", "b", "c", "larder.device"];
            let changes = names[..rng.usize(..5)].iter();
            let changes = changes.map(|name| ((*name).into(), change(rng))).collect();
            let apply = Apply {
                generation: [1, 1, 2, 3][rng.usize(..4)],
                idle,
                max_weight: 120,
                changes,
            };
            after(apply, vec![idle])
        }
        9..=11 => {
            let user = rng.bool().then(|| session_user(rng));
            let names = ["a", "b", "larder.device"];
            let fields = names[..rng.usize(..4)].iter();
            let create = Create {
                hash: shared.hash(rng),
                idle,
                absolute,
                user,
                choice: shared.choice(rng),
                fields: fields.map(|name| ((*name).into(), bytes(rng))).collect(),
            };
            after(create, vec![idle, absolute])
        }
        12..=14 => {
            let sign_in = rng.bool().then(|| SignIn {
                user: session_user(rng),
                absolute,
                choice: shared.choice(rng),
            });
            let grace = [0, 1, 1_500][rng.usize(..3)];
            let rotate = Rotate {
                from: shared.hash(rng),
                to: shared.hash(rng),
                idle,
                grace,
                sign_in,
            };
            after(rotate, vec![idle, absolute, grace])
        }
        15 => after(Peek, Vec::new()),
        16 | 17 => {
            let take = TakeReason {
                hash: shared.hash(rng),
                keep: shared.keep(rng),
            };
            let deadline = take.keep.as_micros();
            after(take, vec![deadline])
        }
        _ => {
            let whose = match rng.u8(..4) {
                0 => Whose::Nobody,
                // No user has an empty name.
                1 => Whose::Of([user(rng), "".into()][usize::from(rng.u8(..4) == 0)].clone()),
                2 => Whose::OfBefore(user(rng), [rng.u8(..2); 16]),
                _ => Whose::SignedInBefore(user(rng), rng.i64(0..4)),
            };
            let reason = [
                None,
                Some(EndReason::Disabled),
                Some(EndReason::Administrator),
            ];
            let destroy = Destroy {
                whose,
                reason: reason[rng.usize(..3)],
                keep: shared.keep(rng),
                call: [rng.u8(1..4); 16],
            };
            let deadline = destroy.keep.as_micros();
            after(destroy, vec![deadline])
        }
    }
}

fn change(rng: &mut Rng) -> Change {
    match rng.u8(..11) {
        0 | 1 => Change::Set(bytes(rng)),
        2 => Change::Remove,
        3 => Change::Discard(bytes(rng)),
        4 => Change::Add([1, -1, 3, 9_007_199_254_740_991, -9_007_199_254_740_992][rng.usize(..5)]),
        5 => Change::Swap(None, bytes(rng)),
        6 | 7 => Change::Tally {
            seen: bytes(rng),
            left: [
                None,
                Some(0),
                Some(5),
                Some(-3),
                Some(9_007_199_254_740_992),
            ][rng.usize(..5)],
        },
        8 => Change::Extract(bytes(rng)),
        _ => Change::Swap(Some(bytes(rng)), bytes(rng)),
    }
}

fn bytes(rng: &mut Rng) -> Bytes {
    let texts = [
        "i5",
        "i-7",
        "mtext",
        "i9007199254740990",
        "i-9007199254740992",
        "i",
        "i-",
        "m",
        "",
    ];
    Bytes::from_static(texts[rng.usize(..texts.len())].as_bytes())
}

fn session_user(rng: &mut Rng) -> SessionUser {
    SessionUser {
        id: user(rng),
        epoch: [rng.u8(..2); 16],
        since: rng.i64(0..4),
        all: rng.i64(0..4),
        method: rng.bool().then(|| "passkey".into()),
    }
}
