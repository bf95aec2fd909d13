use bytes::Bytes;
use fastrand::Rng;
use larder_store::program::{Program, Script};
use larder_test::trace::Step;

use super::filter::Shape;
use super::programs::{Add, Clear, Contains, CountBits, FilterRecord, ReadString};
use crate::traces::{after, catches, holds, long_ttl};

fn next(rng: &mut Rng) -> Box<dyn Step> {
    let (ttl, elements) = (long_ttl(rng), elements(rng));
    // Mostly the same shape; otherwise the test would see only refusals.
    let capacity = if rng.u8(..12) == 0 { 31 } else { 30 };
    let Some(shape) = Shape::new(capacity, 0.02) else {
        return after(ReadString, vec![]);
    };
    match rng.u8(..12) {
        0..=4 => after(
            Add {
                shape,
                ttl,
                elements,
            },
            vec![ttl],
        ),
        5..=7 => after(Contains { shape, elements }, vec![]),
        8 => after(CountBits { shape }, vec![]),
        9 if rng.u8(..4) == 0 => after(Clear, vec![]),
        _ => after(ReadString, vec![]),
    }
}

fn elements(rng: &mut Rng) -> Vec<Bytes> {
    let element = |_| Bytes::from(rng.u32(..60).to_string());
    (0..3).map(element).collect()
}

#[tokio::test]
async fn the_programs_on_a_filter_do_the_same_in_lua_and_in_rust_bit_for_bit() {
    holds::<FilterRecord>(next).await;
}

#[tokio::test]
async fn every_fault_that_is_planted_in_the_lua_of_a_filter_is_caught() {
    const ADD: &Script = Add::SCRIPT;
    const CONTAINS: &Script = Contains::SCRIPT;
    catches::<FilterRecord>(
        next,
        &[
            (ADD, "#ARGV[1] - 1)", "#ARGV[1])"),
            (ADD, "elseif held ~= ARGV[1] then", "elseif false then"),
            (
                ADD,
                "for i = 4, #ARGV, hashes",
                "for i = 5, #ARGV - hashes, hashes",
            ),
            (ADD, "i + hashes - 1 do", "i + hashes - 2 do"),
            (ADD, "before < hashes", "before == 0"),
            (ADD, "ttl(KEYS[1], ARGV[3])", ""),
            (CONTAINS, "held ~= '' and held ~= ARGV[1]", "false"),
            (
                CONTAINS,
                "held ~= '' and held ~= ARGV[1]",
                "held ~= ARGV[1]",
            ),
            (CONTAINS, "== 0 then", "== 1 then"),
            (CONTAINS, "i + hashes - 1 do", "i do"),
            (CountBits::SCRIPT, "#ARGV[1], -1)", "0, -1)"),
            (CountBits::SCRIPT, "held ~= '' and held ~= ARGV[1]", "false"),
            (Clear::SCRIPT, "del(KEYS[1])", ""),
        ],
    )
    .await;
}
