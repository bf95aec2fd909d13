use bytes::Bytes;
use fastrand::Rng;
use larder_store::program::Program;
use larder_test::trace::Step;

use super::programs::{Add, Clear, Count, Merge, ReadRegisters, UniqueRecord};
use super::registers::Registers;
use crate::traces::{after, catches, holds, long_ttl};

fn next(rng: &mut Rng) -> Box<dyn Step> {
    let ttl = long_ttl(rng);
    match rng.u8(..12) {
        0..=6 => {
            let elements = (0..[1, 2, 30][rng.usize(..3)])
                .map(|_| element(rng))
                .collect();
            after(Add { ttl, elements }, vec![ttl])
        }
        7 | 8 => after(Count, vec![]),
        9 => after(ReadRegisters, vec![]),
        10 => {
            let mut registers = Registers::default();
            for _ in 0..rng.usize(..40) {
                registers.add(&element(rng));
            }
            after(Merge { ttl, registers }, vec![ttl])
        }
        _ if rng.u8(..4) == 0 => after(Clear, vec![]),
        _ => after(Count, vec![]),
    }
}

fn element(rng: &mut Rng) -> Bytes {
    // Half of them are one of a few, which were probably added before.
    let (most, longest) = [(3, 1), (3_000, 8)][rng.usize(..2)];
    let text = format!("visitor {}", rng.u32(..most));
    Bytes::from(text).slice(rng.usize(..longest)..)
}

#[tokio::test]
async fn the_programs_on_a_unique_count_do_the_same_in_lua_and_in_rust() {
    holds::<UniqueRecord>(next).await;
}

#[tokio::test]
async fn every_fault_that_is_planted_in_the_lua_of_a_unique_count_is_caught() {
    catches::<UniqueRecord>(
        next,
        &[
            (Add::SCRIPT, "unpack(ARGV, 2)", "unpack(ARGV, 1)"),
            (Add::SCRIPT, "return changed", "return 1"),
            (Add::SCRIPT, "ARGV[1])", "ARGV[1] + 1)"),
            (
                Count::SCRIPT,
                "redis.pcall('PFCOUNT', KEYS[1])",
                "redis.pcall('PFCOUNT', KEYS[1]) + 1",
            ),
            (
                Merge::SCRIPT,
                "'PFMERGE', KEYS[1], KEYS[2]",
                "'PFMERGE', KEYS[1], KEYS[1]",
            ),
            (Merge::SCRIPT, "ttl(KEYS[1], ARGV[1])", ""),
            (Clear::SCRIPT, "del(KEYS[1])", ""),
            (Clear::SCRIPT, "held and 1 or 0", "1"),
            (ReadRegisters::SCRIPT, "redis.call('GET', KEYS[1])", "false"),
        ],
    )
    .await;
}
