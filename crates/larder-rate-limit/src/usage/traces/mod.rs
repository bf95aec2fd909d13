//! Compares the Lua of each program with its Rust, and plants faults in the Lua that must be found.

mod faults;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fastrand::Rng;
use larder_store::program::Programs;
use larder_store::{Key, Timestamp};
use larder_test::trace::{Observed, Step, step};
use larder_worlds::traces::holds;

use super::{
    Answer, BanArgs, Charge, Desk, HoldArgs, Peek, RuleArgs, Rules, Settle, SettleArgs, Task, Usage,
};
use crate::QuotaChange;

const SEEDS: u64 = 30;
const STEPS: usize = 100;

/// A rule of a trace. A calendar's edges follow the clock.
#[derive(Clone, Copy, Debug)]
struct Drawn {
    tag: u8,
    limit: i64,
    period: i64,
}

impl Drawn {
    fn draw(rng: &mut Rng) -> Self {
        Self {
            tag: rng.u8(..8),
            limit: rng.i64(1..5),
            period: [1_000, 999_983, 2_500_000, 7_000_003][rng.usize(..4)],
        }
    }

    fn at(self, now: i64, limit: i64, skew: i64) -> RuleArgs {
        let Self { tag, period, .. } = self;
        match tag {
            0 => RuleArgs::Gcra {
                interval: (period / limit).max(1),
                tolerance: (period / limit).max(1) * limit,
            },
            1 => RuleArgs::Aligned { limit, period },
            2 => RuleArgs::FromFirst { limit, period },
            3 => {
                let this = now.div_euclid(period) + skew;
                // Like those of months, no two windows in a row have the same length.
                let edge = |i: i64| i * period + i.rem_euclid(3) * (period / 8);
                let edges = [-1, 0, 1, 2].map(|i| edge(this + i));
                RuleArgs::Calendar {
                    limit,
                    id: 0,
                    edges,
                }
            }
            4 | 5 => RuleArgs::Sliding { limit, period },
            6 => RuleArgs::Log { limit, period },
            _ => RuleArgs::Permits { limit },
        }
    }
}

/// A step of a trace, under rules that depend on the time.
#[derive(Clone, Debug)]
struct OnUsage {
    name: String,
    rules: Vec<(Drawn, i64)>,
    change: QuotaChange,
    skew: i64,
    does: Does,
    /// When charges were made, for later refunds.
    moments: Arc<Mutex<Vec<i64>>>,
}

#[derive(Clone, Copy, Debug)]
enum Does {
    Charge(i64, HoldArgs, BanArgs),
    Peek(i64, bool),
    Settle(SettleArgs),
    Desk(Task),
}

#[async_trait]
impl Step for OnUsage {
    fn name(&self) -> &str {
        &self.name
    }

    async fn run(&self, programs: &dyn Programs, key: &Key, now: Timestamp) -> Observed {
        let at = now.as_micros();
        let rules = self.rules.iter();
        let rules = Rules {
            rules: rules
                .map(|(rule, limit)| rule.at(at, *limit, self.skew))
                .collect(),
            change: self.change,
        };
        match self.does {
            Does::Charge(cost, hold, ban) => {
                let moments = self.moments.clone();
                let charge = Charge {
                    rules,
                    cost,
                    hold,
                    ban,
                };
                let noted = move |answer: &Answer, now| {
                    moments.lock().unwrap().push(answer.says);
                    deadlines(answer, now)
                };
                step(charge, noted).run(programs, key, now).await
            }
            Does::Peek(cost, holds) => {
                let peek = Peek { rules, cost, holds };
                step(peek, deadlines).run(programs, key, now).await
            }
            Does::Settle(settlement) => {
                let settle = Settle { rules, settlement };
                step(settle, deadlines).run(programs, key, now).await
            }
            Does::Desk(task) => {
                let desk = Desk { rules, task };
                step(desk, deadlines).run(programs, key, now).await
            }
        }
    }
}

fn deadlines(answer: &Answer, now: Timestamp) -> Vec<Timestamp> {
    let spans = answer.rules.iter();
    let spans = spans.flat_map(|rule| [rule.wait_us, rule.reset_us, rule.more_us]);
    let spans = spans.chain([answer.ban_us]).filter(|span| *span > 0);
    spans.map(|span| now.plus_micros(span)).collect()
}

/// Begins a trace: its policy is drawn once, and its numbers change now and then.
fn next() -> impl FnMut(&mut Rng) -> Box<dyn Step> {
    let mut policy: Vec<Drawn> = Vec::new();
    let moments = Arc::new(Mutex::new(Vec::new()));
    move |rng| {
        if policy.is_empty() {
            let rules = [1, 1, 2, 3][rng.usize(..4)];
            policy = (0..rules).map(|_| Drawn::draw(rng)).collect();
        }
        let is_changed = rng.u8(..8) == 0;
        let rules = policy.iter().map(|rule| {
            let limit = match is_changed {
                true => rng.i64(1..8),
                false => rule.limit,
            };
            (*rule, limit)
        });
        let rules = rules.collect();
        let changes = [
            QuotaChange::AsIs,
            QuotaChange::Proportional,
            QuotaChange::Reset,
        ];
        let does = draw(rng, &moments.lock().unwrap());
        Box::new(OnUsage {
            name: format!("{does:?} {policy:?}"),
            rules,
            change: changes[rng.usize(..3)],
            skew: [0, 0, 0, 0, -1, 1, -2, -3][rng.usize(..8)],
            does,
            moments: moments.clone(),
        })
    }
}

fn draw(rng: &mut Rng, moments: &[i64]) -> Does {
    let spans = [1_000, 700_001, 5_000_000];
    let span = spans[rng.usize(..3)];
    match rng.u8(..20) {
        0..2 => Does::Peek(rng.i64(1..4), rng.bool()),
        2..4 => {
            let moment = moments.get(moments.len().saturating_sub(rng.usize(1..5)));
            Does::Settle(SettleArgs {
                moment: *moment.unwrap_or(&0),
                back: rng.i64(1..3),
                ..SettleArgs::default()
            })
        }
        4..8 => Does::Settle(SettleArgs {
            id: rng.i64(1..4),
            hold_us: [0, 0, span][rng.usize(..3)],
            actual: [0, 1, 3, 9][rng.usize(..4)],
            ..SettleArgs::default()
        }),
        8 => Does::Desk(match rng.u8(..5) {
            0 | 1 => Task::Set(rng.i64(0..10)),
            2 => Task::Reset,
            3 => Task::Ban(span),
            _ => Task::Forgive,
        }),
        n => {
            let hold_us = if n > 15 { span } else { 0 };
            let hold = HoldArgs {
                id: rng.i64(1..4),
                hold_us,
                units: if hold_us > 0 { rng.i64(0..3) } else { 0 },
            };
            let ban = BanArgs {
                refusals: [0, 0, 2, 4][rng.usize(..4)],
                within_us: spans[rng.usize(..3)],
                lasts_us: span,
            };
            Does::Charge([1, 1, 1, 2, 3][rng.usize(..5)], hold, ban)
        }
    }
}

#[tokio::test]
async fn the_programs_on_a_usage_do_the_same_in_lua_and_in_rust() {
    // Each seed draws a policy of up to three rules.
    holds::<Usage, _>((16, 150), next).await;
}
