//! Plants mistakes in the Lua, each a text and its replacement, and checks that the traces find
//! them.

use larder_store::program::Program;
use larder_test::trace::Fault;
use larder_worlds::traces::catches;

use super::{SEEDS_AND_STEPS, everyone, session, user};
use crate::everyone_record::{EndEveryone, EveryoneRecord};
use crate::session_record::{
    Apply, Create, Destroy, Left, Read, Rotate, SessionRecord, TakeReason, Touch,
};
use crate::user_record::{
    Enable, Enroll, ListSessions, Mark, ReadRevocationState, Revoke, UserRecord, Withdraw,
};

#[tokio::test]
async fn every_planted_fault_in_the_lua_of_a_session_is_caught() {
    let sessions: &[Fault] = &[
        (
            Read::SCRIPT,
            "'GET', KEYS[1]",
            "'GETRANGE', KEYS[1], 0, 120",
        ),
        (Left::SCRIPT, "left(KEYS[1])", "left(KEYS[1]) + 1"),
        (Touch::SCRIPT, "now - s.seen <", "now - s.seen <="),
        (Touch::SCRIPT, "now >= s.absolute_at", "now > s.absolute_at"),
        (
            Touch::SCRIPT,
            "math.min(chosen, absolute_at - now)",
            "chosen",
        ),
        (
            Touch::SCRIPT,
            "if s.idle <= 0 then touch",
            "if true then touch",
        ),
        (Touch::SCRIPT, "if chosen <= 0 then", "if true then"),
        (
            Touch::SCRIPT,
            "'SETRANGE', KEYS[1], 33",
            "'SETRANGE', KEYS[1], 32",
        ),
        (Apply::SCRIPT, " or s.generation ~= tonumber(ARGV[1])", ""),
        (Apply::SCRIPT, "now < s.absolute_at", "now <= s.absolute_at"),
        (Apply::SCRIPT, " and s.weight > before", ""),
        (
            Apply::SCRIPT,
            "if old ~= with then return {2, old or false} end",
            "",
        ),
        (
            Apply::SCRIPT,
            "if old == with then new = nil end",
            "new = nil",
        ),
        (
            Apply::SCRIPT,
            "elseif op == 'tally' and old == with then",
            "elseif op == 'tally' then",
        ),
        (Apply::SCRIPT, "-(int(with) or 0)", "0"),
        (Apply::SCRIPT, "(int(with) or 0)", "int(with)"),
        (Create::SCRIPT, "s.hash == ARGV[1] and 1 or 0", "1"),
        (
            Rotate::SCRIPT,
            "if s.hash ~= ARGV[1] and not (ARGV[5] and s.old == ARGV[1]) then return false end",
            "",
        ),
        (Rotate::SCRIPT, "and not (ARGV[5] and s.old == ARGV[1])", ""),
        (Rotate::SCRIPT, "ARGV[5] and s.old", "s.old"),
        (
            Rotate::SCRIPT,
            "s.idle, s.touch, s.expiry = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])",
            "",
        ),
        (
            Rotate::SCRIPT,
            "if s.user then s.names, s.weight = {}, 0 end",
            "",
        ),
        (
            Rotate::SCRIPT,
            "s.hash, s.old = ARGV[2], nil",
            "s.hash = ARGV[2]",
        ),
        (
            Destroy::SCRIPT,
            "(s.user ~= ARGV[4] or",
            "(s.user and s.user ~= ARGV[4] or",
        ),
        (
            Destroy::SCRIPT,
            "(s.user ~= ARGV[4] or",
            "((s.user or '') ~= (ARGV[4] or '') or",
        ),
        (Destroy::SCRIPT, " or (ARGV[5] and s.epoch == ARGV[5])", ""),
        (Destroy::SCRIPT, "s.since >= tonumber", "s.since > tonumber"),
        (
            Destroy::SCRIPT,
            "if s and ARGV[6] and s.since >= tonumber(ARGV[6]) then return 0 end",
            "",
        ),
        (Destroy::SCRIPT, "elseif s then", "else"),
        (Destroy::SCRIPT, "if s then return 1 end", ""),
        (Destroy::SCRIPT, "and was == why", ""),
        (
            Destroy::SCRIPT,
            "string.sub(text, 43) == ARGV[3] and 1 or 2",
            "1",
        ),
        (
            Destroy::SCRIPT,
            "string.sub(text, 43) == ARGV[3] and 1 or 2",
            "2",
        ),
        (
            Destroy::SCRIPT,
            "put(KEYS[1], struct.pack(TOMBSTONE, ENDED, s.hash, why,",
            "put(KEYS[1], struct.pack(TOMBSTONE, ENDED, s.hash, 1,",
        ),
        (Rotate::SCRIPT, "ARGV[5] and 0 or now", "0"),
        (Apply::SCRIPT, "'>i8', s.rotated", "'>i8', 1"),
        (
            Rotate::SCRIPT,
            "s.rotated > 0 and ROTATED or",
            "false and ROTATED or",
        ),
        (Apply::SCRIPT, "if s.form == ROTATED then", "if false then"),
        (
            TakeReason::SCRIPT,
            "form == FORM or form == ROTATED",
            "form == FORM",
        ),
        (
            Apply::SCRIPT,
            "weight = weight + 32",
            "weight = weight + 31",
        ),
        (TakeReason::SCRIPT, "hash ~= ARGV[1]", "false"),
        (TakeReason::SCRIPT, "if why == 0 then return 0 end", ""),
        (
            TakeReason::SCRIPT,
            "redis.call('SETRANGE', KEYS[1], 33, '\\0')",
            "del(KEYS[1])",
        ),
        (
            TakeReason::SCRIPT,
            "if not is_session(form) then return 0 end",
            "if is_session(form) then return 0 end",
        ),
        (Rotate::SCRIPT, "tonumber(ARGV[8]), ARGV[9]", "0, ARGV[9]"),
        (Create::SCRIPT, "tonumber(ARGV[8]), ARGV[9]", "0, ARGV[9]"),
    ];
    catches::<SessionRecord, _>(SEEDS_AND_STEPS, session::next, sessions).await;
}

#[tokio::test]
async fn every_planted_fault_in_the_lua_of_a_user_is_caught() {
    let users: &[Fault] = &[
        (Enroll::SCRIPT, "math.max(latest, ends)", "ends"),
        (Enroll::SCRIPT, "now >= ends", "now > ends"),
        (
            Enroll::SCRIPT,
            "if string.byte(state, 18) ~= 0 then return {1, 0} end",
            "",
        ),
        (
            Enroll::SCRIPT,
            "ARGV[5] == '1' and #live >= limit",
            "ARGV[5] == '1' and #live > limit",
        ),
        (
            Enroll::SCRIPT,
            "if ARGV[5] == '2' then\n    evicted",
            "if true then\n    evicted",
        ),
        (
            Enroll::SCRIPT,
            "redis.call('HSET', KEYS[1], 'e:' .. live[at][2], live[at][3])",
            "",
        ),
        (Enroll::SCRIPT, "kind == 's' and live or evicted", "live"),
        (
            Enroll::SCRIPT,
            "for _, one in ipairs(evicted) do ids[#ids + 1] = one[2] end",
            "",
        ),
        (Enroll::SCRIPT, "#evicted - tonumber(ARGV[7])", "0"),
        (ListSessions::SCRIPT, "ARGV[1] == '1'", "true"),
        (Withdraw::SCRIPT, ", 'e:' .. id", ""),
        (Revoke::SCRIPT, "'^([se]):(.*)$'", "'^(s):(.*)$'"),
        (Enroll::SCRIPT, "{added, id,", "{ends, id,"),
        (Enroll::SCRIPT, "since + 1", "0"),
        (Enroll::SCRIPT, "'n', num(since), ", ""),
        (
            ReadRevocationState::SCRIPT,
            "'GET', KEYS[2]",
            "'HGET', KEYS[1], 'x'",
        ),
        (Revoke::SCRIPT, " or spared == ARGV[5]", ""),
        (Revoke::SCRIPT, "not is_disabled and ", ""),
        (Revoke::SCRIPT, " .. ARGV[4], ms", " .. spared, ms"),
        (
            Revoke::SCRIPT,
            "(disabled > 0 or is_disabled)",
            "disabled > 0",
        ),
        (
            Revoke::SCRIPT,
            "if disabled > 0 then latest = math.max(latest, now + disabled) end",
            "",
        ),
        (
            Revoke::SCRIPT,
            "if not state and disabled == 0 then",
            "if not state then",
        ),
        (Enable::SCRIPT, "string.byte(state, 18) ~= 0", "true"),
        (
            Enroll::SCRIPT,
            "added <= now - tonumber",
            "added < now - tonumber",
        ),
        (Enroll::SCRIPT, "added <= since and", "added < since and"),
        (Enroll::SCRIPT, "epoch == '' or is_revoked", "epoch == ''"),
        (Enroll::SCRIPT, " and string.sub(state, 19) ~= id", ""),
        (Withdraw::SCRIPT, "int(latest) <= now", "true"),
        (Mark::SCRIPT, "or is_marked(held, ARGV[1])", ""),
        (Mark::SCRIPT, "or mark[2] ~= ARGV[1]", ""),
        (
            Mark::SCRIPT,
            "if span > 0 and (not may_end or",
            "if (not may_end or",
        ),
        (Mark::SCRIPT, " or string.sub(state, 19) == ARGV[1]", ""),
        (
            Revoke::SCRIPT,
            "if asked and is_marked(marks(now), ARGV[5]) then may = false end",
            "",
        ),
    ];
    catches::<UserRecord, _>(SEEDS_AND_STEPS, || user::next, users).await;
}

#[tokio::test]
async fn every_planted_fault_in_the_lua_of_everyone_is_caught() {
    let everyone: &[Fault] = &[
        (EndEveryone::SCRIPT, "last + 1, now()", "last, now()"),
        (EndEveryone::SCRIPT, "math.max(last + 1, now())", "last + 1"),
    ];
    catches::<EveryoneRecord, _>(SEEDS_AND_STEPS, || everyone::next, everyone).await;
}
