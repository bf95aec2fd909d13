use bytes::Bytes;
use fastrand::Rng;
use larder_store::program::{MAX_INT, Program, Record as _, Script};
use larder_store::{Key, Ttl};
use larder_test::server::RedisServer;
use larder_test::trace::{Pair, Step, after};
use larder_worlds::traces::{catches, holds, pair};

use super::Position;
use super::history::{Append, HistoryRecord, Open, ReadAfter};

/// The number of seeds of the traces, and of steps for each.
const LONG: (u64, usize) = (8, 400);

/// Draws an epoch, so that a trace meets the same one again after a history has ended.
fn epoch(rng: &mut Rng) -> i64 {
    [1, 2, MAX_INT][rng.usize(..3)]
}

fn next(rng: &mut Rng) -> Box<dyn Step> {
    let ttl = Ttl::from_millis([1, 60_000, 600_000, 3_600_000][rng.usize(..4)]);
    let epoch = epoch(rng);
    match rng.u8(..8) {
        0..=3 => {
            let append = Append {
                message: Bytes::from_static([&b"a"[..], b"", b"\0\xff "][rng.usize(..3)]),
                epoch,
                ttl,
                messages: [1, 2, 5, 5][rng.usize(..4)],
            };
            after(append, vec![ttl.as_micros()])
        }
        4 => after(Open { epoch, ttl }, vec![ttl.as_micros()]),
        _ => {
            let offset = [0, 1, 2, 3, 5, 8, 13, 21, MAX_INT - 1][rng.usize(..9)];
            let position = Position { epoch, offset };
            let read = ReadAfter {
                position,
                many: [1, 2, 64][rng.usize(..3)],
                bytes: [0, 1, 2, 5, 1_000][rng.usize(..5)],
            };
            after(read, vec![])
        }
    }
}

#[tokio::test]
async fn the_programs_on_a_history_do_the_same_in_lua_and_in_rust() {
    holds::<HistoryRecord, _>(LONG, || next).await;
}

#[tokio::test]
async fn both_forms_read_all_messages_a_page_at_a_time() {
    let server = RedisServer::start().unwrap();
    let Pair { rust, lua, .. } = Box::pin(pair(&server)).await;
    for programs in [rust, lua] {
        for (length, expected) in [(60_000_u32, &[17, 17, 17, 13][..]), (10, &[64])] {
            let key = Key::new(HistoryRecord::KIND, length);
            for number in 0..64 {
                let append = Append {
                    message: vec![number; length as usize].into(),
                    epoch: 1,
                    ttl: Ttl::from_secs(60),
                    messages: 100,
                };
                programs.run(&key, &append).await.unwrap();
            }
            let (epoch, offset) = (1, 0);
            let mut position = Position { epoch, offset };
            let (mut read, mut pages) = (Vec::new(), Vec::new());
            loop {
                let after = ReadAfter {
                    position,
                    many: 64,
                    bytes: 1024 * 1024,
                };
                let found = programs.run(&key, &after).await.unwrap();
                position.offset += found.messages.len() as i64;
                pages.push(found.messages.len());
                read.extend(found.messages.iter().map(|message| message[0]));
                if !found.has_more() {
                    break;
                }
            }
            assert_eq!(pages, expected);
            assert_eq!(read, (0..64).collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn every_fault_that_is_planted_in_the_lua_of_a_history_is_caught() {
    const APPEND: &Script = Append::SCRIPT;
    const OPEN: &Script = Open::SCRIPT;
    const READ: &Script = ReadAfter::SCRIPT;
    catches::<HistoryRecord, _>(
        LONG,
        || next,
        &[
            (
                APPEND,
                "epoch, last = ARGV[2], 0",
                "epoch, last = ARGV[2], 1",
            ),
            (APPEND, "tonumber(last) + 1", "tonumber(last) + 2"),
            (
                APPEND,
                "-tonumber(ARGV[4]), -1",
                "-tonumber(ARGV[4]) - 1, -1",
            ),
            (APPEND, "-tonumber(ARGV[4]), -1", "0, tonumber(ARGV[4]) - 1"),
            (
                APPEND,
                "put(KEYS[1], epoch .. '-' .. last, ARGV[3])",
                "put(KEYS[1], epoch .. '-' .. last, ARGV[3] + 1)",
            ),
            (APPEND, "         ttl(KEYS[2], ARGV[3])", ""),
            (APPEND, "'RPUSH'", "'LPUSH'"),
            (
                OPEN,
                "epoch, last = ARGV[1], '0'",
                "epoch, last = ARGV[1], '1'",
            ),
            (OPEN, "if not epoch then", "if true then"),
            (OPEN, "ttl(KEYS[2], ARGV[2])", ""),
            (READ, "+ 1\n", "\n"),
            (
                READ,
                "math.max(tonumber(ARGV[2]) + 1, first)",
                "tonumber(ARGV[2]) + 1",
            ),
            (READ, "epoch == ARGV[1] and", ""),
            (READ, "num(at + few - 1)", "num(at + few)"),
            (READ, "math.min(left, 16)", "16"),
            (READ, "room - #message", "room"),
            (READ, "#messages > 0 and room < 0", "room < 0"),
        ],
    )
    .await;
}
