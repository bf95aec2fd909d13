use std::sync::Arc;

use fastrand::Rng;
use larder_store::Ttl;
use larder_store::program::{MAX_INT, Program, Script};
use larder_test::trace::Step;

use super::programs::{Apply, ReadBalances, Request};
use super::record::LedgerRecord;
use crate::traces::{after, catches, holds, long_ttl};

fn next(rng: &mut Rng) -> Box<dyn Step> {
    if rng.u8(..5) == 0 {
        let accounts = ["", "ada", "bob", "cy", "a:1"].map(Arc::from).to_vec();
        return after(ReadBalances { accounts }, vec![]);
    }
    // Half of the requests are one of a few, so that many are repeated.
    let request = match rng.bool() {
        true => frequent(rng),
        false => request(rng),
    };
    let (ttl, retention) = (
        long_ttl(rng),
        Ttl::from_millis([1, 500, 5_000][rng.usize(..3)]),
    );
    let apply = Apply {
        request,
        id: ["1", "1", "1", "2", "2", "3", "4", "5"][rng.usize(..8)].into(),
        retention,
        ttl,
        max_requests: [3, 100][rng.usize(..2)],
        max_accounts: [1, 1, 2, 100][rng.usize(..4)],
    };
    after(apply, vec![ttl, retention])
}

fn frequent(rng: &mut Rng) -> Request {
    let (ada, bob): (Arc<str>, Arc<str>) = ("ada".into(), "bob".into());
    match rng.u8(..8) {
        0 => Request::Credit { to: ada, amount: 5 },
        // With all that is held, the account is gone, and its room may be taken before the release.
        6 => Request::Hold {
            from: ada,
            amount: 5,
        },
        7 => Request::Release,
        1 => Request::Transfer {
            from: ada,
            to: bob,
            amount: 1,
        },
        2 | 3 => Request::Hold {
            from: ada,
            amount: 1,
        },
        4 => Request::Settle { to: None },
        _ => Request::Settle { to: Some(bob) },
    }
}

fn request(rng: &mut Rng) -> Request {
    match rng.u8(..9) {
        0 | 1 => Request::Transfer {
            from: account(rng),
            to: account(rng),
            amount: amount(rng),
        },
        2 => Request::Credit {
            to: account(rng),
            amount: amount(rng),
        },
        3 | 4 => Request::Hold {
            from: account(rng),
            amount: amount(rng),
        },
        5 | 6 => Request::Settle {
            to: rng.bool().then(|| account(rng)),
        },
        _ => Request::Release,
    }
}

fn account(rng: &mut Rng) -> Arc<str> {
    ["ada", "bob", "cy", "a:1"][rng.usize(..4)].into()
}

fn amount(rng: &mut Rng) -> i64 {
    [1, 1, 2, 2, 5, MAX_INT, MAX_INT - 1][rng.usize(..7)]
}

#[tokio::test]
async fn the_programs_on_a_ledger_do_the_same_in_lua_and_in_rust() {
    holds::<LedgerRecord>(next).await;
}

#[tokio::test]
async fn every_fault_that_is_planted_in_the_lua_of_a_ledger_is_caught() {
    const APPLY: &Script = Apply::SCRIPT;
    catches::<LedgerRecord>(
        next,
        &[
            (APPLY, "tonumber(due) <= now", "tonumber(due) < now"),
            (
                APPLY,
                "if due and tonumber(due) <= now then entry = false end",
                "",
            ),
            (
                APPLY,
                "code == 'd' or code == 'i' then return {'unknown'",
                "code == 'd' then return {'unknown'",
            ),
            (
                APPLY,
                "rest == print and 'duplicate' or 'contrary'",
                "'duplicate'",
            ),
            (APPLY, "'^(%d+):(.*)$'", "'^(.*):(.*)$'"),
            (APPLY, "if op == 'release' then to = from end", ""),
            (
                APPLY,
                "if string.sub(entry, 2, 17) ~= print then",
                "if false then",
            ),
            (
                APPLY,
                "code == 'i' and 'insufficient' or 'done'}\nend",
                "'done'}\nend",
            ),
            (APPLY, "if sum == 0 then", "if false then"),
            (APPLY, "- balance('') then", "then"),
            (
                APPLY,
                "(op == 'transfer' or op == 'hold') and balance",
                "op == 'transfer' and balance",
            ),
            (APPLY, "balance(from) < amount", "balance(from) <= amount"),
            (APPLY, "redis.call('ZREM', KEYS[3], old)", ""),
            (APPLY, "redis.call('HDEL', KEYS[2], old)", ""),
            (APPLY, "'-inf', num(now)", "'-inf', '(' .. num(now)"),
            (APPLY, "if not closes and", "if"),
            (APPLY, ">= tonumber(ARGV[9])", "> tonumber(ARGV[9])"),
            (APPLY, "redis.call('HEXISTS', KEYS[1], to) == 0", "true"),
            (APPLY, "and op ~= 'release'", ""),
            (APPLY, "> tonumber(ARGV[10])", ">= tonumber(ARGV[10])"),
            (
                APPLY,
                "if op == 'transfer' or op == 'hold' then move",
                "if op == 'transfer' then move",
            ),
            (APPLY, "if op == 'credit' then move", "if false then move"),
            (
                APPLY,
                "if op == 'settle' and to == '' then move",
                "if op == 'settle' then move",
            ),
            (
                APPLY,
                "if op == 'hold' and done == 'd' then",
                "if op == 'hold' then",
            ),
            (
                APPLY,
                "string.sub(entry, 2, 17) .. print end",
                "print .. print end",
            ),
            (APPLY, "num(now + tonumber(ARGV[7]))", "num(now)"),
            (
                APPLY,
                "ipairs(KEYS) do ttl(key, ARGV[8])",
                "ipairs({KEYS[1], KEYS[2]}) do ttl(key, ARGV[8])",
            ),
            (ReadBalances::SCRIPT, "or 0)", "or 1)"),
        ],
    )
    .await;
}
