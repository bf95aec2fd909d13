//! Plants faults in the Lua, each of which a trace must catch.

use larder_store::program::{Program, Script};
use larder_test::server::RedisServer;

use super::steps::next;
use super::traces;
use crate::record::{
    Cancel, Count, Dequeue, Enqueue, List, Pause, Purge, QueueRecord, Redrive, Settle,
};

#[tokio::test]
async fn every_fault_that_is_planted_in_the_lua_of_a_queue_is_caught() {
    const ADD: &Script = Enqueue::SCRIPT;
    const TAKE: &Script = Dequeue::SCRIPT;
    const SETTLE: &Script = Settle::SCRIPT;
    let server = RedisServer::start().unwrap();
    let faults = [
        // The transitions, which all of them share.
        (TAKE, "kl + 1, kl + gl)", "kl + 1, kl + gl + 1)"),
        (
            TAKE,
            "busy(g) >= per_group then\n    redis",
            "busy(g) > per_group then\n    redis",
        ),
        (TAKE, "'(w' .. g .. '\\1'", "'(x'"),
        (
            TAKE,
            "math.floor((tonumber(rank) - FLOOR) / CLASS) ~= class",
            "false",
        ),
        (
            ADD,
            "j.c .. string.format('%016.0f', j.s) .. id",
            "j.c .. num(j.s) .. id",
        ),
        (ADD, "class * CLASS + seq), token", "class * CLASS), token"),
        (
            TAKE,
            "redis.call('ZREM', KEYS[4], 'b' .. j.g .. '\\0' .. id)\n  redis",
            "redis",
        ),
        (TAKE, "if j.s == 0 then", "if true then"),
        (SETTLE, "and j.s > 0 and not keeps_order", "and j.s > 0"),
        (
            SETTLE,
            "redis.call('ZREM', KEYS[4], 'b' .. j.g .. '\\0' .. id, waiting(id, j))",
            "",
        ),
        (
            SETTLE,
            "if j.u == 'd' or j.u == 's' then",
            "if j.u == 's' then",
        ),
        (
            SETTLE,
            "redis.call('HGET', KEYS[7], j.k) == id then",
            "true then",
        ),
        (SETTLE, "- tonumber(ARGV[12]), 16)", ", 16)"),
        (SETTLE, "ends < needed - math.floor(span / 16)", "ends < at"),
        (SETTLE, "if all or made[i] then", "if all then"),
        // Adding.
        (
            ADD,
            "if redis.call('HEXISTS', KEYS[2], id) == 1 then",
            "if false then",
        ),
        (
            ADD,
            "if known and tonumber(known) > at then",
            "if known and tonumber(known) >= at then",
        ),
        (
            ADD,
            "if known and tonumber(known) > at then",
            "if false then",
        ),
        (ADD, "if ARGV[i + 1] == '+' then due = at + due end", ""),
        (ADD, "LEASED - 1), at)", "LEASED - 1), 0)"),
        (ADD, "tonumber(key_ends) <= at)", "tonumber(key_ends) < at)"),
        (ADD, "ARGV[i + 6] == '1' and load(other)", "load(other)"),
        (ADD, "j.s == 0 and rank >= 0", "rank >= 0"),
        (ADD, "if live >= most or", "if live > most or"),
        (
            ADD,
            "key ~= '' and redis.call('HLEN', KEYS[7]) >= most",
            "false",
        ),
        (ADD, "if due > at then hide", "if due >= at then hide"),
        (ADD, "redis.call('ZREM', KEYS[8], key)\n", "\n"),
        // Taking.
        (
            TAKE,
            "num(LEASED + at), 'LIMIT'",
            "'(' .. num(LEASED + at), 'LIMIT'",
        ),
        (
            TAKE,
            "KEYS[3], 0, num(at), 'LIMIT'",
            "KEYS[3], 0, '(' .. num(at), 'LIMIT'",
        ),
        (
            TAKE,
            "if j.a >= max_attempts then\n      bury",
            "if j.a > max_attempts then\n      bury",
        ),
        (TAKE, "    j.d = at\n", ""),
        (TAKE, "or meta[4] == '1'", ""),
        (TAKE, "max_running - redis", "max_running + 1 - redis"),
        (
            TAKE,
            "at + burst * interval - tat",
            "at + burst * interval - tat - 1",
        ),
        (TAKE, "if spare <= 0 then next_at", "if false then next_at"),
        (TAKE, "math.max(number(meta[5]), at)", "at"),
        (
            TAKE,
            "if taken > 0 then latest = math.max(latest, lease_ends) end",
            "",
        ),
        (SETTLE, "latest = math.max(latest, at + micros)\n", "\n"),
        (TAKE, "fence = math.max(fence + 1, at)", "fence = at"),
        (TAKE, "fence = math.max(fence + 1, at)", "fence = fence + 1"),
        (TAKE, "j.f, j.a = fence, j.a + 1", "j.f = fence"),
        (TAKE, "if j.u == 's' then free_key(id, j) end", ""),
        (
            TAKE,
            "redis.call('ZADD', KEYS[4], 0, 'b'",
            "redis.call('ZREM', KEYS[4], 'b'",
        ),
        (TAKE, "        offer(g)\n", ""),
        (TAKE, "redis.call('ZREM', KEYS[3], member)\n", "\n"),
        (TAKE, "      made[3] = true\n", ""),
        (TAKE, "num(tat + taken * interval)", "num(tat + interval)"),
        // Settling.
        (
            SETTLE,
            "tonumber(known) > at and 2",
            "tonumber(known) >= at and 2",
        ),
        (SETTLE, "num(j.f) ~= of_fence or", ""),
        (SETTLE, "or tonumber(rank) < LEASED", ""),
        (SETTLE, "    forget(id)\n", ""),
        (SETTLE, "num(LEASED + at + micros)", "num(LEASED + micros)"),
        (
            SETTLE,
            "op == 'n' and j.a >= max_attempts",
            "op == 'n' and j.a > max_attempts",
        ),
        (
            SETTLE,
            "if op == 'r' then j.a = j.a - 1 else",
            "if false then else",
        ),
        (SETTLE, "if micros == 0 then place", "if false then place"),
        (
            SETTLE,
            "'-inf', num(at), 'LIMIT'",
            "'-inf', '(' .. num(at), 'LIMIT'",
        ),
        (
            SETTLE,
            "redis.call('ZREMRANGEBYRANK', KEYS[6], 0, over - 1)",
            "",
        ),
        // The rest.
        (Cancel::SCRIPT, "redis.call('ZREM', KEYS[5], id)\n", "\n"),
        (Cancel::SCRIPT, "running and 1 or 0", "0"),
        (Redrive::SCRIPT, "j.a, j.s, j.d", "j.a, j.e, j.d"),
        (Redrive::SCRIPT, "'-', ''", "j.u, j.k"),
        (Purge::SCRIPT, "+ 18)", "+ 17)"),
        (
            Purge::SCRIPT,
            "if string.byte(id, 1) ~= 0 then",
            "if true then",
        ),
        (
            List::SCRIPT,
            "'LIMIT', num(seen), many)",
            "'LIMIT', 0, many)",
        ),
        (List::SCRIPT, "'[w' or '(' .. after", "'[w' or '[' .. after"),
        (Count::SCRIPT, "math.max(oldest,", "math.min(oldest,"),
        (Pause::SCRIPT, "'paused', ARGV[13]", "'paused', 1"),
    ];
    traces(&server).catch::<QueueRecord, _>(next, &faults).await;
}
