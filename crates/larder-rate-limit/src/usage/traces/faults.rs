//! Plants faults in the Lua, each of which a trace must catch.

use larder_store::program::{Program, Script};
use larder_worlds::traces::catches;

use super::{SEEDS, STEPS, next};
use crate::usage::{Charge, Desk, Peek, Settle, Usage};

const CHARGE: &Script = Charge::SCRIPT;
const SETTLE: &Script = Settle::SCRIPT;

#[tokio::test]
async fn every_fault_that_is_planted_in_the_record_and_fixed_windows_is_caught() {
    let faults = [
        // The record.
        (CHARGE, "if int(b) > at then", "if int(b) >= at then"),
        (CHARGE, "if int(u) > at then", "if true then"),
        (
            CHARGE,
            "if int(ends) > at then holds",
            "if int(ends) >= at then holds",
        ),
        (CHARGE, "held, last = held + it.units", "held, last = held"),
        (
            CHARGE,
            "math.min(first, it.ends)",
            "math.max(first, it.ends)",
        ),
        (
            CHARGE,
            "math.max(banned, counted_until, last)",
            "math.max(banned, counted_until)",
        ),
        (
            CHARGE,
            "math.max(banned, counted_until, last)",
            "math.max(counted_until, last)",
        ),
        (
            CHARGE,
            "math.max(banned, counted_until, last)",
            "math.max(banned, last)",
        ),
        (CHARGE, "at + it.does.reset(it.p, it.v))", "at)"),
        (CHARGE, "(latest - at + 999)", "(latest - at)"),
        (CHARGE, "if latest <= at then", "if false then"),
        // A changed limit.
        (CHARGE, "if new == old or", "if"),
        (
            CHARGE,
            "or change == '0' then return used end",
            "then return used end",
        ),
        (CHARGE, "if change == '2' then return 0 end", ""),
        (
            CHARGE,
            "(new < old and math.ceil or math.floor)(used",
            "math.ceil(used",
        ),
        (
            CHARGE,
            "(new < old and math.ceil or math.floor)(used",
            "math.floor(used",
        ),
        (
            CHARGE,
            "(used * new / old), 2 * new)",
            "(used * new / old), 1e9)",
        ),
        // GCRA.
        (
            CHARGE,
            "math.floor((tat - at) / from * to + 0.5)",
            "math.ceil((tat - at) / from) * to",
        ),
        (
            CHARGE,
            "if change == '1' then from, to",
            "if false then from, to",
        ),
        (CHARGE, "if change == '2' then return at end", ""),
        (
            CHARGE,
            "from * to + 0.5), 2 * p[2])",
            "from * to + 0.5), p[2])",
        ),
        (
            CHARGE,
            "  dirty = true\n  if change == '2' then return at",
            "  if change == '2' then return at",
        ),
        (
            CHARGE,
            "used = function(p, v) return math.ceil((v[1] - at)",
            "used = function(p, v) return math.floor((v[1] - at)",
        ),
        (
            CHARGE,
            "v[1] + n * p[1] - p[2] - at",
            "v[1] + n * p[1] - p[2] - at - 1",
        ),
        (
            SETTLE,
            "math.min(n * p[1], 2 * p[2]), at + 2 * p[2])",
            "n * p[1], at + p[2])",
        ),
        (SETTLE, "math.max(moment + charge - at, 0)", "charge"),
        (
            SETTLE,
            "v[1] = math.max(v[1] - back, at)",
            "v[1] = v[1] - back",
        ),
        // Fixed windows.
        (
            CHARGE,
            "if #v == 4 and v[2] > at and",
            "if #v == 4 and v[2] >= at and",
        ),
        (CHARGE, "if v[2] > latest(p) then", "if false then"),
        (
            CHARGE,
            "v[1], v[2], dirty = math.min(v[1], at), ends, true",
            "v[1], v[2] = math.min(v[1], at), ends",
        ),
        (
            CHARGE,
            "return v[3] + n > p[1] and",
            "return v[3] + n >= p[1] and",
        ),
        (
            SETTLE,
            "v[3] = math.min(v[3] + n, 2 * p[1])",
            "v[3] = v[3] + n",
        ),
        (SETTLE, "if v[3] < 2 * p[1] then v[3]", "if true then v[3]"),
        (
            CHARGE,
            "math.floor(at / p[2]) * p[2]\n    return start",
            "at\n    return start",
        ),
        (CHARGE, "if at < p[i] then", "if at <= p[i] then"),
        (
            CHARGE,
            "return at, at + p[5] - p[4]",
            "return at, at + p[4] - p[3]",
        ),
        (
            SETTLE,
            "if moment >= v[1] and moment < v[2] then",
            "if true then",
        ),
    ];
    catches::<Usage, _>((2 * SEEDS, STEPS), next, &faults).await;
}

#[tokio::test]
async fn every_fault_that_is_planted_in_sliding_windows_holds_and_the_desk_is_caught() {
    let faults = [
        // Sliding windows.
        (
            CHARGE,
            "start - v[1] >= 2 * p[2]",
            "start - v[1] > 2 * p[2]",
        ),
        (
            CHARGE,
            "v[1], v[2], v[3] = start, 0, v[2]",
            "v[1], v[2], v[3] = start, 0, 0",
        ),
        (
            CHARGE,
            "math.ceil(v[3] * (many - gone) / many)",
            "math.floor(v[3] * (many - gone) / many)",
        ),
        (
            CHARGE,
            "math.floor(room * many / count)",
            "math.ceil(room * many / count)",
        ),
        (CHARGE, "* slice, p[2])", "* slice, 2 * p[2])"),
        (SETTLE, "if v[2] < 2 * p[1] then v[2]", "if true then v[2]"),
        (
            CHARGE,
            "left_at(p, v[1] + p[2], v[2], p[1] - n)",
            "left_at(p, v[1], v[2], p[1] - n)",
        ),
        (
            CHARGE,
            "return v[1] + 2 * p[2] - at end",
            "return v[1] + p[2] - at end",
        ),
        (
            SETTLE,
            "elseif moment >= v[1] - p[2] then",
            "elseif false then",
        ),
        // Logs.
        (CHARGE, "+ p[2] <= at do gone", "+ p[2] < at do gone"),
        (
            CHARGE,
            "local i = #v[2] / 16 + n - p[1]",
            "local i = #v[2] / 16 + n - p[1] - 1",
        ),
        (
            SETTLE,
            "moments(at, math.min(n, 2 * p[1] - #v[2] / 16))",
            "moments(at, n)",
        ),
        (SETTLE, "to - from < n and", "true and"),
        (SETTLE, "moment_of(v, from) == moment do", "true do"),
        // Permits and holds.
        (CHARGE, "if over < 0 then", "if over <= 0 then"),
        (CHARGE, "ending()[over + 1].ends", "first"),
        (CHARGE, "a.ends < b.ends", "a.ends > b.ends"),
        (
            CHARGE,
            "if left + units <= limit then best",
            "if true then best",
        ),
        (
            CHARGE,
            "if held == 0 or best and best <= first - at then",
            "if held == 0 or best then",
        ),
        (CHARGE, "return best or 1 end", "return best or 0 end"),
        (CHARGE, "left - hold.units\n", "left\n"),
        (CHARGE, "return math.min(best or soon, soon)", "return soon"),
        (CHARGE, "it.ends < soonest.ends", "it.ends > soonest.ends"),
        (
            CHARGE,
            "it.does.wait(it.p, it.v, left + units), after)",
            "after, 0)",
        ),
        (CHARGE, "math.max(reset, freed - at)", "reset"),
        (CHARGE, "if it.units > 0 then freed", "if true then freed"),
        (
            CHARGE,
            "ends = at + hold, units = reserved}",
            "ends = at + hold, units = 0}",
        ),
        (SETTLE, "if holds[i].id == id then", "if false then"),
        (
            SETTLE,
            "holds[i].ends = at + hold else",
            "holds[i].ends = at else",
        ),
        (SETTLE, "if actual > 0 then", "if false then"),
        // Bans.
        (
            CHARGE,
            "if banned <= at and a[5] > 0 then",
            "if a[5] > 0 then",
        ),
        (
            CHARGE,
            "if refusals == 0 then counted_until",
            "if true then counted_until",
        ),
        (
            CHARGE,
            "if refusals >= a[5] then",
            "if refusals > a[5] then",
        ),
        (
            CHARGE,
            "return banned <= at and full == 0",
            "return full == 0",
        ),
        (
            CHARGE,
            "counted_until, refusals = at + a[7], 0, 0",
            "counted_until, refusals = at + a[7], 0, 1",
        ),
        // The report.
        (
            CHARGE,
            "math.max(limit - used - taken, 0)",
            "math.max(limit - used, 0)",
        ),
        (
            CHARGE,
            "if remaining < limit then more",
            "if true then more",
        ),
        (CHARGE, "is_passed and at or 0)", "at)"),
        (Peek::SCRIPT, "tonumber(ARGV[arg + 1])", "1"),
        (
            Desk::SCRIPT,
            "does == 'reset' or does == 'forgive'",
            "does == 'reset'",
        ),
        (
            Desk::SCRIPT,
            "banned = at + by_how_much",
            "banned = by_how_much",
        ),
    ];
    catches::<Usage, _>((2 * SEEDS, STEPS), next, &faults).await;
}
