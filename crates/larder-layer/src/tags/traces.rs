//! Compares the Lua of each program on a tag with its Rust, and plants faults in the Lua.

use fastrand::Rng;
use larder_store::Timestamp;
use larder_store::program::Program;
use larder_test::trace::{Fault, Step, step};
use larder_worlds::traces::{catches, holds};

use super::{ChangeTag, Generation, NoteTag, ReadTag, TagChange, TagRecord};

const SEEDS_AND_STEPS: (u64, usize) = (20, 500);
const SPANS: [i64; 4] = [1, 1_000, 1_500_001, 60_000_000];

fn next(rng: &mut Rng) -> Box<dyn Step> {
    let generation = Generation::from_bytes(std::array::from_fn(|_| rng.u8(..3)));
    let keep = SPANS[rng.usize(..SPANS.len())];
    let edges = move |now: Timestamp, times: &[i64]| -> Vec<Timestamp> {
        times
            .iter()
            .map(|times| now.plus_micros(keep * times))
            .collect()
    };
    match rng.u8(..6) {
        0 | 1 => step(NoteTag { generation, keep }, move |_, now| {
            edges(now, &[1, 2])
        }),
        2 | 3 => {
            let change = match rng.bool() {
                true => TagChange::Remove,
                false => TagChange::Expire,
            };
            let program = ChangeTag {
                change,
                generation,
                keep,
            };
            step(program, move |_, now| edges(now, &[1]))
        }
        _ => step(ReadTag, |_, _| Vec::new()),
    }
}

#[tokio::test]
async fn the_programs_on_a_tag_do_the_same_in_lua_and_in_rust() {
    holds::<TagRecord, _>(SEEDS_AND_STEPS, || next).await;
}

#[tokio::test]
async fn every_planted_fault_in_the_lua_of_a_tag_is_caught() {
    let faults: &[Fault] = &[
        (ReadTag::SCRIPT, "held, 1, 16", "held, 1, 8"),
        (ReadTag::SCRIPT, "num(changed)}", "0}"),
        (NoteTag::SCRIPT, "kept - now < keep", "kept - now <= keep"),
        (NoteTag::SCRIPT, "now + 2 * keep", "now + keep"),
        (NoteTag::SCRIPT, "ARGV[1], 0 end", "ARGV[1], now end"),
        (
            NoteTag::SCRIPT,
            "if not generation then generation",
            "if true then generation",
        ),
        (ChangeTag::SCRIPT, " and ARGV[3] == '1'", ""),
        (ChangeTag::SCRIPT, "generation, 1, 8", "generation, 1, 7"),
        (
            ChangeTag::SCRIPT,
            "math.max(changed or 0, now)",
            "(changed or now)",
        ),
        (
            ChangeTag::SCRIPT,
            "math.max(kept or 0, now + keep)",
            "now + keep",
        ),
    ];
    catches::<TagRecord, _>(SEEDS_AND_STEPS, || next, faults).await;
}
