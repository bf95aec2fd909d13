use fastrand::Rng;
use larder_store::Ttl;
use larder_store::program::{MAX_INT, Program};
use larder_test::trace::Step;

use super::programs::{Add, CounterRecord, Read, Set, Take};
use super::{Bounds, Overflow, TtlFrom};
use crate::traces::{after, catches, holds, ttl};

fn next(rng: &mut Rng) -> Box<dyn Step> {
    let ttl: Ttl = ttl(rng);
    match rng.u8(..10) {
        0 => after(Read, vec![]),
        1 => after(
            Set {
                value: amount(rng),
                ttl,
            },
            vec![ttl],
        ),
        2 => after(Take, vec![]),
        _ => {
            let add = Add {
                by: amount(rng),
                bounds: bounds(rng),
                overflow: [Overflow::Refuse, Overflow::Saturate][rng.usize(..2)],
                ttl,
                ttl_from: [TtlFrom::FirstWrite, TtlFrom::LastWrite][rng.usize(..2)],
            };
            after(add, vec![ttl])
        }
    }
}

fn amount(rng: &mut Rng) -> i64 {
    let amounts = [
        1,
        1,
        1,
        -1,
        3,
        -3,
        0,
        MAX_INT,
        -MAX_INT,
        MAX_INT - 1,
        1 - MAX_INT,
    ];
    amounts[rng.usize(..amounts.len())]
}

fn bounds(rng: &mut Rng) -> Bounds {
    let (low, high) = [(0, 2), (-2, 3), (-MAX_INT, MAX_INT), (1, 1)][rng.usize(..4)];
    Bounds { low, high }
}

#[tokio::test]
async fn the_programs_on_a_counter_do_the_same_in_lua_and_in_rust() {
    holds::<CounterRecord>(next).await;
}

#[tokio::test]
async fn every_fault_that_is_planted_in_the_lua_of_a_counter_is_caught() {
    catches::<CounterRecord>(
        next,
        &[
            (Add::SCRIPT, "math.max(high - value, 0)", "high - value"),
            (Add::SCRIPT, "math.min(low - value, 0)", "low - value"),
            (
                Add::SCRIPT,
                "math.abs(by) > math.abs(room)",
                "math.abs(by) >= math.abs(room)",
            ),
            (Add::SCRIPT, "and room or 0", "and 0 or room"),
            (Add::SCRIPT, "if by == 0 then", "if false then"),
            (Add::SCRIPT, "held and ARGV[6] == 'first'", "held"),
            (Add::SCRIPT, "ARGV[6] == 'first'", "false"),
            (Add::SCRIPT, "held or 0", "held or 1"),
            (Add::SCRIPT, "tonumber(ARGV[5])", "tonumber(ARGV[5]) + 1"),
            (Set::SCRIPT, "tonumber(ARGV[2])", "tonumber(ARGV[2]) - 1"),
            (Set::SCRIPT, "return held", "return false"),
            (Take::SCRIPT, "if held then del(KEYS[1]) end", ""),
            (Read::SCRIPT, "'GET', KEYS[1]", "'GETRANGE', KEYS[1], 0, 3"),
        ],
    )
    .await;
}
