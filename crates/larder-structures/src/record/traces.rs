use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use fastrand::Rng;
use larder_store::program::{MAX_INT, Program, Script};
use larder_test::trace::Step;

use super::programs::{CompareAndSet, FieldsRecord, Increment, Read, Remove, Set, When};
use crate::traces::{after, catches, holds, long_ttl};

fn next(rng: &mut Rng) -> Box<dyn Step> {
    let (ttl, max_fields) = (long_ttl(rng), [2, 3, 100, 100][rng.usize(..4)]);
    match rng.u8(..12) {
        0..=2 => {
            let names: BTreeSet<_> = (0..rng.usize(1..4)).map(|_| field(rng)).collect();
            let set = Set {
                ttl,
                max_fields,
                when: [When::Instead, When::Absent, When::Present][rng.usize(..3)],
                fields: names.into_iter().map(|name| (name, value(rng))).collect(),
            };
            after(set, vec![ttl])
        }
        3 | 4 => {
            let fields = (0..rng.usize(..3)).map(|_| field(rng)).collect();
            after(Read { fields }, vec![])
        }
        5..=7 => {
            let increment = Increment {
                ttl,
                max_fields,
                field: field(rng),
                by: [1, -1, 3, MAX_INT, -MAX_INT][rng.usize(..5)],
            };
            after(increment, vec![ttl])
        }
        8..=10 => {
            let compare = CompareAndSet {
                ttl,
                max_fields,
                field: field(rng),
                expected: rng.bool().then(|| value(rng)),
                new: rng.bool().then(|| value(rng)),
            };
            after(compare, vec![ttl])
        }
        _ if rng.u8(..4) == 0 => after(Remove, vec![]),
        _ => after(Read { fields: vec![] }, vec![]),
    }
}

fn field(rng: &mut Rng) -> Arc<str> {
    ["a", "b", "c", "A"][rng.usize(..4)].into()
}

fn value(rng: &mut Rng) -> Bytes {
    let values = ["1", "1", "", "-0", "\"one\"", "9007199254740990"];
    Bytes::from_static(values[rng.usize(..values.len())].as_bytes())
}

#[tokio::test]
async fn the_programs_on_a_record_do_the_same_in_lua_and_in_rust() {
    holds::<FieldsRecord>(next).await;
}

#[tokio::test]
async fn every_fault_that_is_planted_in_the_lua_of_a_record_is_caught() {
    const SET: &Script = Set::SCRIPT;
    const INCREMENT: &Script = Increment::SCRIPT;
    const COMPARE: &Script = CompareAndSet::SCRIPT;
    catches::<FieldsRecord>(
        next,
        &[
            (SET, "ARGV[3] == 'absent' and held > 0 or", ""),
            (SET, "ARGV[3] == 'present' and held == 0", "false"),
            (SET, "ARGV[3] == 'instead' and 0 or held", "held"),
            (SET, "sum > tonumber", "sum >= tonumber"),
            (
                SET,
                "ARGV[3] == 'instead' or redis.call('HEXISTS', KEYS[1], ARGV[i]) == 0",
                "true",
            ),
            (SET, "if ARGV[3] == 'instead' then del(KEYS[1]) end", ""),
            (SET, "ttl(KEYS[1], ARGV[1])", "ttl(KEYS[1], ARGV[1] + 1)"),
            (Read::SCRIPT, "if #ARGV == 0 then", "if true then"),
            (Read::SCRIPT, "then return false end", "then return {} end"),
            (INCREMENT, "if fields == 0 then return {'unmet', 0} end", ""),
            (INCREMENT, "fields >= tonumber", "fields > tonumber"),
            (INCREMENT, "int(text or '0')", "tonumber(text or '0')"),
            (INCREMENT, "by > 0 and held > limit - by or", ""),
            (INCREMENT, "held < -limit - by", "held <= -limit - by"),
            (
                COMPARE,
                "if fields == 0 then return {'unmet', false} end",
                "",
            ),
            (COMPARE, "ARGV[4] == '1' and ARGV[5]", "ARGV[5]"),
            (
                COMPARE,
                "if held ~= expected then",
                "if held and held ~= expected then",
            ),
            (COMPARE, "fields >= tonumber", "fields > tonumber"),
            (COMPARE, "ARGV[6] == '1'", "true"),
            (COMPARE, "return {'done', held}", "return {'done', false}"),
            (Remove::SCRIPT, "del(KEYS[1])", ""),
        ],
    )
    .await;
}
