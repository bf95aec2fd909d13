//! Plants faults in the Lua, each of which a trace must catch.

use larder_store::program::{Program, Script};
use larder_test::server::RedisServer;
use larder_test::trace::Fault;

use super::steps::next;
use super::{SEEDS, traces};
use crate::record::{
    Cancel, Count, Dequeue, Enqueue, List, Pause, Purge, QueueRecord, Redrive, Settle,
};

const ADD: &Script = Enqueue::SCRIPT;
const TAKE: &Script = Dequeue::SCRIPT;
const SETTLE: &Script = Settle::SCRIPT;

async fn catches(faults: &[Fault]) {
    let server = RedisServer::start().unwrap();
    let traces = traces(&server, SEEDS);
    traces.catch::<QueueRecord, _>(next, faults).await;
}

#[tokio::test]
async fn every_fault_that_is_planted_in_the_moves_and_in_adding_is_caught() {
    let faults = [
        // The moves, which all of them share.
        (TAKE, "45 + kl, 44 + kl + gl)", "45 + kl, 45 + kl + gl)"),
        (
            TAKE,
            "busy(g) >= per_group then\n      redis",
            "busy(g) > per_group then\n      redis",
        ),
        (TAKE, "'(w' .. g .. '\\1'", "'(x'"),
        (TAKE, "math.floor((rank - FLOOR) / CLASS) ~= class", "false"),
        (
            ADD,
            "c .. string.format('%016.0f', s) .. id",
            "c .. s .. id",
        ),
        (ADD, "class * CLASS + seq, token", "class * CLASS, token"),
        (
            TAKE,
            "redis.call('ZREM', KEYS[3], 'b' .. j.g .. '\\0' .. id)\n    redis",
            "redis",
        ),
        (TAKE, "if j.s == 0 then", "if true then"),
        (SETTLE, "j.s > 0 and keeps_order == 0", "j.s > 0"),
        (
            SETTLE,
            "redis.call('ZREM', KEYS[3], 'b' .. j.g .. '\\0' .. id, waiting(j.g, j.c, j.s, id))",
            "",
        ),
        (Cancel::SCRIPT, "j.u < 3 and redis", "redis"),
        (Cancel::SCRIPT, "j.k) == id then", "j.k) then"),
        (SETTLE, "- max_dead, 16)", ", 16)"),
        (SETTLE, "ends < needed - math.floor(span / 16)", "ends < at"),
        (SETTLE, "if all or made[i] then", "if all then"),
        (SETTLE, "#j.k, #j.g, #j.r)", "#j.k, #j.g, 0)"),
        (SETTLE, "j.f = 0\n    if j.s", "if j.s"),
        // What is examined only when it may be due.
        (
            SETTLE,
            "look_at = math.max(latest, j.d), math.min(look_at, j.d)",
            "look_at = math.max(latest, j.d), look_at",
        ),
        (TAKE, "look_at = math.min(look_at, lease_ends)\n", "\n"),
        (SETTLE, "look_at = math.min(look_at, at + micros)\n", "\n"),
        (TAKE, "ended and ended - LEASED or NEVER", "NEVER"),
        (TAKE, "(due and due + 0 or NEVER", "(NEVER"),
        (
            TAKE,
            "at >= look_at\n  if is_due",
            "at > look_at\n  if is_due",
        ),
        (ADD, "grouped, made[3] = true, true", "made[3] = true"),
        // Adding.
        (ADD, "if held[n + 1] or", "if"),
        (ADD, "or mine[id] or", "or"),
        (ADD, "done[n] + 0 > at", "done[n] + 0 >= at"),
        (ADD, "done[n] and done[n] + 0 > at", "false"),
        (ADD, "if origin == 0 then due = at + due end", ""),
        (ADD, "LEASED - 1), at)", "LEASED - 1), 0)"),
        (ADD, "replaces == 1 and load(other)", "load(other)"),
        (ADD, "if j and (j.s == 0 or j.u == 2)", "if j"),
        (ADD, "(j.s == 0 or j.u == 2)", "j.s == 0"),
        (
            ADD,
            "redis.call('ZREM', KEYS[3], waiting(j.g, j.c, j.s, other))",
            "",
        ),
        (ADD, "j.d, j.s = due, 0", "j.d = due"),
        (ADD, "if j.g ~= '' then offer(j.g) end", ""),
        (ADD, "if room <= 0 or", "if room < 0 or"),
        (ADD, "elseif room <= 0 then", "elseif room < 0 then"),
        (ADD, "KEYS[6]) >= max_keys", "KEYS[6]) > max_keys"),
        (ADD, "k ~= '' and redis.call('HLEN'", "redis.call('HLEN'"),
        (ADD, "room + redis.call('ZCARD', KEYS[4])", "room"),
        (ADD, "if due > at then hide", "if due >= at then hide"),
        (ADD, "string.byte(fixed) * CLASS + seq", "2 * CLASS + seq"),
        (ADD, "0, 0, seq, at, at)", "0, 0, seq, at, 0)"),
    ];
    catches(&faults).await;
}

#[tokio::test]
async fn every_fault_that_is_planted_in_taking_and_settling_is_caught() {
    let faults = [
        // Taking.
        (
            TAKE,
            "LEASED, LEASED + at, 'LIMIT'",
            "LEASED, LEASED + at - 1, 'LIMIT'",
        ),
        (
            TAKE,
            "KEYS[2], 0, at, 'LIMIT'",
            "KEYS[2], 0, at - 1, 'LIMIT'",
        ),
        (
            TAKE,
            "if j.a >= max_attempts then\n          bury",
            "if j.a > max_attempts then\n          bury",
        ),
        (TAKE, "      j.d = at\n", ""),
        (TAKE, "many > 0 and paused then", "false then"),
        (TAKE, "max_running - redis", "max_running + 1 - redis"),
        (
            TAKE,
            "at + burst * interval - used",
            "at + burst * interval - used - 1",
        ),
        (TAKE, "if spare <= 0 then next_at", "if false then next_at"),
        (TAKE, "math.max(tat, at)", "at"),
        (
            TAKE,
            "if taken > 0 then latest = math.max(latest, lease_ends) end",
            "",
        ),
        (SETTLE, "latest = math.max(latest, at + micros)\n", "\n"),
        (TAKE, "fence = math.max(fence + 1, at)", "fence = at"),
        (TAKE, "fence = math.max(fence + 1, at)", "fence = fence + 1"),
        (TAKE, "state) + 1, fence)", "state), fence)"),
        (TAKE, "if u == 2 then", "if false then"),
        (
            TAKE,
            "redis.call('ZADD', KEYS[3], 0, 'b'",
            "redis.call('ZREM', KEYS[3], 'b'",
        ),
        (TAKE, "redis.call('ZREM', KEYS[3], first)\n", "\n"),
        (TAKE, "'\\0' .. g)\n        offer(g)", "'\\0' .. g)"),
        (TAKE, "redis.call('ZREM', KEYS[2], '\\0' .. g)\n", "\n"),
        (TAKE, "used + taken * interval", "used + interval"),
        // Settling.
        (SETTLE, "known + 0 > at and 2", "known + 0 >= at and 2"),
        (SETTLE, "f == 0 or f ~= of_fence then", "f == 0 then"),
        (SETTLE, "f == 0 or f ~= of_fence then", "f < of_fence then"),
        (SETTLE, "if seen[id] then state", "if false then state"),
        (SETTLE, "redis.call('HDEL', unpack(gone))\n", "\n"),
        (SETTLE, "redis.call('ZREM', unpack(out))", ""),
        (
            SETTLE,
            "if kl > 0 and u < 3 then",
            "if kl > 0 and u < 1 then",
        ),
        (SETTLE, "if kl > 0 and u < 3 then", "if kl > 0 then"),
        (SETTLE, "k) == id then redis", "k) then redis"),
        (SETTLE, "if gl > 0 then", "if false then"),
        (SETTLE, "LEASED + at + micros, id", "LEASED + micros, id"),
        (SETTLE, "j.p = text", "j.r = text"),
        (
            SETTLE,
            "op == 110 and j.a >= max_attempts",
            "op == 110 and j.a > max_attempts",
        ),
        (
            SETTLE,
            "if op == 114 then j.a = j.a - 1 else",
            "if false then else",
        ),
        (SETTLE, "if micros == 0 then place", "if false then place"),
        (SETTLE, "if at % 16 < acked then", "if true then"),
        (SETTLE, "if at % 16 < acked then", "if false then"),
        (
            SETTLE,
            "if known <= acked then made[5]",
            "if false then made[5]",
        ),
        (
            SETTLE,
            "redis.call('ZREMRANGEBYRANK', KEYS[5], 0, over - 1)",
            "",
        ),
        // The rest.
        (Cancel::SCRIPT, "redis.call('ZREM', KEYS[4], id)\n", "\n"),
        (Cancel::SCRIPT, "j.f > 0 and 1 or 0", "0"),
        (Redrive::SCRIPT, "j.a, j.s, j.d", "j.a, j.e, j.d"),
        (Redrive::SCRIPT, "at, 0, ''", "at, j.u, j.k"),
        (Purge::SCRIPT, "+ 18)", "+ 17)"),
        (
            Purge::SCRIPT,
            "string.byte(id, 1) == 0 and string.sub(id, 2)",
            "false",
        ),
        (Purge::SCRIPT, "#g + 20)", "#g + 19)"),
        (List::SCRIPT, "#members == many", "false"),
        (
            List::SCRIPT,
            "'LIMIT', num(seen), many)",
            "'LIMIT', 0, many)",
        ),
        (List::SCRIPT, "'[w' or '(' .. after", "'[w' or '[' .. after"),
        (Count::SCRIPT, "math.max(oldest,", "math.min(oldest,"),
        (Pause::SCRIPT, "ARGV[2] == '1', ARGV", "true, ARGV"),
    ];
    catches(&faults).await;
}
