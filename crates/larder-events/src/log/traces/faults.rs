//! Plants faults in the Lua of a log, each of which a trace must catch.

use larder_store::program::{Program, Script};
use larder_worlds::traces::catches;

use super::{LONG, begin};
use crate::log::append::Append;
use crate::log::groups::{Create, HandBack};
use crate::log::reads::ReadRange;
use crate::log::record::LogRecord;
use crate::log::settle::Settle;
use crate::log::take::Take;

#[tokio::test]
async fn every_fault_that_is_planted_in_the_lua_of_a_log_is_caught() {
    const APPEND: &Script = Append::SCRIPT;
    const TAKE: &Script = Take::SCRIPT;
    const SETTLE: &Script = Settle::SCRIPT;
    const CREATE: &Script = Create::SCRIPT;
    const HAND: &Script = HandBack::SCRIPT;
    catches::<LogRecord, _>(
        LONG,
        begin,
        &[
            (APPEND, "now_ms > ms", "now_ms >= ms"),
            (APPEND, "num(seq + 1)", "num(seq + 2)"),
            (
                APPEND,
                "tonumber(due) > now_ms then",
                "tonumber(due) >= now_ms then",
            ),
            (APPEND, "'-inf', num(now_ms)", "'-inf', '(' .. num(now_ms)"),
            (APPEND, ">= max_ids", "> max_ids"),
            (APPEND, "'n', num(added + 1)", "'n', num(added)"),
            (APPEND, "len - max_len, log", "len - max_len - 1, log"),
            (APPEND, "len + 1, true", "len, true"),
            (APPEND, "if not is_any then return written end", ""),
            (
                APPEND,
                "(age and parts(entry[1]) < now_ms - age)",
                "(age and parts(entry[1]) <= now_ms - age)",
            ),
            (APPEND, "if is_after(it, group.last) or", "if"),
            (
                APPEND,
                "or (group.pending and not is_after(group.pending, it))",
                "",
            ),
            (APPEND, "i > len - hard_len and", ""),
            (
                APPEND,
                "if cut > 1 or not oldest then",
                "if not oldest then",
            ),
            (APPEND, "(log.groups or 0) > 0", "(log.groups or 0) > 1"),
            (APPEND, "if is_old or (log.groups", "if (log.groups"),
            (APPEND, "g.lost = g.lost + #gone", ""),
            (
                APPEND,
                "redis.call('XACK', KEYS[1], group.name, it[1])",
                "redis.call('XLEN', KEYS[1])",
            ),
            (
                APPEND,
                "num(now_ms + remembered)",
                "num(now_ms + remembered + 1)",
            ),
            (APPEND, "keep(ARGV[6])", "ttl(KEYS[1], ARGV[6])"),
            (CREATE, "group) >= tonumber", "group) > tonumber"),
            (CREATE, "tonumber(ARGV[5])", "7"),
            (CREATE, "added - (log.length or 0)", "added"),
            (CREATE, "or added) - 1", "or added)"),
            (CREATE, "'(' .. start", "start"),
            (CREATE, "  from = last\n", "  from = '0-0'\n"),
            (
                CREATE,
                "start == 'now' or is_after(start, last)",
                "start == 'now'",
            ),
            (TAKE, "if waiting == 0 then g.due = nil end", ""),
            (
                TAKE,
                "not g.due or g.due <= now_ms)",
                "not g.due or g.due < now_ms)",
            ),
            (TAKE, "  g.due = nil\n  local ids", "  local ids"),
            (
                TAKE,
                "it.count >= tonumber(ARGV[6])",
                "it.count > tonumber(ARGV[6])",
            ),
            (
                TAKE,
                "if due <= now_ms and is_spent",
                "if due < now_ms and is_spent",
            ),
            (TAKE, "elseif due <= now_ms and", "elseif due < now_ms and"),
            (TAKE, "#ids < many", "#ids <= many"),
            (
                TAKE,
                "call[#call + 1] = num(now_ms)",
                "call[#call + 1] = num(now_ms - 1)",
            ),
            (
                TAKE,
                "tonumber(ARGV[5]) - waiting)",
                "tonumber(ARGV[5]) - waiting + 1)",
            ),
            (TAKE, "waiting = waiting - buried", ""),
            (TAKE, "g.lost = g.lost + math.max(n - 1 - g.read, 0)", ""),
            (TAKE, "    g.read = n\n", ""),
            (TAKE, "then assign(group, me, ids, now_ms) end", "then end"),
            (
                TAKE,
                "is_due_at(g, now_ms + lease) end",
                "is_due_at(g, now_ms + lease + 1) end",
            ),
            (TAKE, "if is_same and known", "if known"),
            (TAKE, "and known > told and", "and"),
            (TAKE, "and known <= g.lost then", "then"),
            (TAKE, "num(g.told - told)", "num(g.told)"),
            (TAKE, "room <= 0 and wanted > 0", "room <= 0"),
            (SETTLE, "found[2] == consumer and", ""),
            (SETTLE, "and found[4] == tonumber(ARGV[i + 2])", ""),
            (SETTLE, "(found and 'stale' or 'gone')", "'gone'"),
            (
                SETTLE,
                "redis.call('XACK', KEYS[1], group, id)\n    elseif",
                "redis.call('XLEN', KEYS[1])\n    elseif",
            ),
            (SETTLE, "math.min(delay, lease)", "delay"),
            (SETTLE, "math.min(delay, lease)", "lease"),
            (SETTLE, "is_due_at(g, at + lease)", ""),
            (
                SETTLE,
                "assign(group, consumer, {id}, now_ms)",
                "assign(group, consumer, {id}, now_ms + 1)",
            ),
            (
                SETTLE,
                "assign(group, '(returned)', {id}, at)",
                "assign(group, consumer, {id}, at)",
            ),
            (SETTLE, "'MAXLEN', max_dead", "'MAXLEN', max_dead + 1"),
            (SETTLE, "if g then keep(ARGV[7]) end", ""),
            (SETTLE, "KEYS[4], KEYS[5]) > 0", "KEYS[4]) > 0"),
            (HAND, "now_ms - tonumber(ARGV[3])", "now_ms"),
            (HAND, "is_due_at(g, now_ms)", "is_due_at(g, now_ms + 1)"),
            (HAND, "'(returned)', ids", "consumer, ids"),
            (ReadRange::SCRIPT, "#found > count", "#found >= count"),
            (ReadRange::SCRIPT, "'COUNT', count + 1", "'COUNT', count"),
        ],
    )
    .await;
}
