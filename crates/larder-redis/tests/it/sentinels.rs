//! A master that sentinels elect: the store finds it, follows it, and never uses a wrong one.

mod named;

use std::io::{BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::num::NonZeroU8;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use larder_redis::RedisStore;
use larder_store::bus::{Channel, SubscribeRequest, Topic};
use larder_store::program::{Calls, Run};
use larder_store::{ErrorKind, Refusal, Store};
use larder_test::server::{RedisNode, RedisOptions, RedisSentinels};
use tokio::task::block_in_place;

use crate::cluster::fake::read;
use crate::support::{
    Add, BRISK, Look, brisk, calls, key, ok, patient, programs, put, server, tally, until,
};

/// The servers and sentinels that tests share if they do not change them.
static TRIO: LazyLock<RedisSentinels> = LazyLock::new(|| RedisSentinels::start().unwrap());

async fn store(trio: &RedisSentinels) -> RedisStore {
    brisk(&trio.url()).connect().await.unwrap()
}

async fn error(url: &str) -> (ErrorKind, String) {
    let error = RedisStore::connect(url).await.expect_err("no connection");
    (error.kind(), error.to_string())
}

#[tokio::test]
async fn the_master_is_found_by_any_sentinel_that_answers() {
    let hosts = TRIO.sentinels()[2].address();
    let url = format!(
        "redis+sentinel://127.0.0.1:1,{hosts}/{}",
        TRIO.master_name()
    );
    let store = patient(&url).connect().await.unwrap();
    assert!(store.put(&put(1, "x")).await.unwrap().is_stored());
    assert_eq!(store.location(), url);
}

#[tokio::test]
async fn an_unwatched_master_and_servers_that_are_not_sentinels_are_told_apart() {
    let sentinel = TRIO.sentinels()[0].address();
    let (kind, text) = error(&format!("redis+sentinel://{sentinel}/nobody")).await;
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(text.contains("SENTINEL MASTERS"), "{text}");

    let (kind, text) = error("redis+sentinel://127.0.0.1:1/main").await;
    assert_eq!(kind, ErrorKind::NotSent);
    assert!(text.contains("refused"), "{text}");
    assert!(text.contains("check the addresses"), "{text}");

    let plain = server();
    let (kind, text) = error(&format!("redis+sentinel://{}/main", plain.address())).await;
    assert_eq!(kind, ErrorKind::NotSent);
    assert!(text.contains("no sentinel"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_is_killed_or_frozen_is_left_for_the_new_one_without_a_restart() {
    let faults: [fn(&RedisNode); 2] = [RedisNode::kill, |node| node.freeze().unwrap()];
    let trio = RedisSentinels::start().unwrap();
    let store = store(&trio).await;
    for fault in faults {
        // On a busy machine a server may take long to answer, or the sentinels may consider it down, for a moment.
        until("well", || async { store.put(&put(1, "x")).await.is_ok() }).await;
        let old = trio.master().unwrap();
        fault(old);
        block_in_place(|| trio.wait_for_writable(old)).unwrap();
        until("well again", || async {
            store.put(&put(1, "y")).await.is_ok()
        })
        .await;
        // The old master comes back, and is no longer the master once the sentinels say so.
        block_in_place(|| trio.wait_for_failover(old)).unwrap();
        match old.is_running() {
            true => old.thaw().unwrap(),
            false => old.restart().unwrap(),
        }
        block_in_place(|| trio.wait_until_ready()).unwrap();
        until("read", || async {
            let read = store.get(&key(1)).await;
            read.is_ok_and(|entry| entry.unwrap().value == "y")
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_by_hand_is_followed_though_the_old_master_lives() {
    let trio = RedisSentinels::start().unwrap();
    let store = store(&trio).await;
    let old = trio.master().unwrap();
    trio.failover().unwrap();
    let new = block_in_place(|| trio.wait_for_failover(old)).unwrap();
    until("well again", || async {
        store.put(&put(7, "new")).await.is_ok()
    })
    .await;
    let held = || new.command(&["EXISTS", key(7).as_str()]).unwrap().int();
    assert_eq!(held(), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_was_made_a_replica_is_left_at_its_first_refusal() {
    let trio = RedisSentinels::start().unwrap();
    let waits = patient(&trio.url()).with_replicas(NonZeroU8::MIN, Duration::from_millis(50));
    let stores = [store(&trio).await, waits.connect().await.unwrap()];
    let old = trio.master().unwrap();
    let other = trio.servers().iter().find(|it| it.port() != old.port());
    let other = other.unwrap().port().to_string();
    // Only the client that asks may learn about it.
    for sentinel in trio.sentinels() {
        sentinel.freeze().unwrap();
    }
    for store in stores {
        ok(old, &["REPLICAOF", "127.0.0.1", &other]);
        let error = store.put(&put(1, "x")).await.unwrap_err();
        // The store has dropped the connection, and none of the three servers is a master.
        assert_eq!(error.kind(), ErrorKind::NotSent, "{error}");
        ok(old, &["REPLICAOF", "NO", "ONE"]);
        until("well again", || async {
            store.put(&put(1, "y")).await.is_ok()
        })
        .await;
        ok(old, &["REPLICAOF", "127.0.0.1", &other]);
        for result in store.put_many(&[put(1, "x"), put(2, "x")]).await {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotSent, "{error}");
        }
        ok(old, &["REPLICAOF", "NO", "ONE"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_end_by_their_deadline_while_there_is_no_master() {
    let trio = RedisSentinels::start().unwrap();
    let store = store(&trio).await;
    for node in trio.servers() {
        node.freeze().unwrap();
    }
    for _ in 0..20 {
        let began = Instant::now();
        assert!(store.get(&key(1)).await.is_err());
        // With some time for a busy machine.
        assert!(began.elapsed() < 3 * BRISK);
    }
    for node in trio.servers() {
        node.thaw().unwrap();
    }
    until("well again", || async { store.get(&key(1)).await.is_ok() }).await;
}

/// A fake sentinel, with the answers that a test sets.
struct Fake {
    port: u16,
    up: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    asked: Arc<AtomicU64>,
}

impl Fake {
    /// Starts a sentinel that names `master` with `epoch`.
    fn start(master: u16, epoch: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let fake = Self {
            port: listener.local_addr().unwrap().port(),
            up: Arc::new(AtomicBool::new(true)),
            open: Arc::default(),
            asked: Arc::default(),
        };
        let (up, open, asked) = (fake.up.clone(), fake.open.clone(), fake.asked.clone());
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if up.load(Ordering::SeqCst) {
                    open.lock().unwrap().push(stream.try_clone().unwrap());
                    let asked = asked.clone();
                    std::thread::spawn(move || answer(stream, master, epoch, &asked));
                }
            }
        });
        fake
    }

    fn kill(&self) {
        self.up.store(false, Ordering::SeqCst);
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn answer(stream: TcpStream, master: u16, epoch: u64, asked: &AtomicU64) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    let bulk = |text: String| format!("${}\r\n{text}\r\n", text.len());
    while let Some(command) = read(&mut reader) {
        let word = |at: usize| command.get(at).map(|word| word.to_ascii_uppercase());
        let reply = match (&word(0).unwrap()[..], word(1).as_deref()) {
            (b"HELLO", _) => "%1\r\n+mode\r\n+sentinel\r\n".to_owned(),
            (b"SENTINEL", Some(b"MASTER")) => {
                asked.fetch_add(1, Ordering::SeqCst);
                let epoch = bulk(epoch.to_string());
                format!("%1\r\n{}{epoch}", bulk("config-epoch".to_owned()))
            }
            (b"SENTINEL", _) => {
                let port = bulk(master.to_string());
                format!("*2\r\n{}{port}", bulk("127.0.0.1".to_owned()))
            }
            _ => "-ERR not here\r\n".to_owned(),
        };
        if writer.write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_was_replaced_is_never_written_to_again_though_a_sentinel_still_names_it() {
    // Both servers claim to be the master: the old one is on the wrong side of a partition.
    let (old, new) = (server(), server());
    let informed = Fake::start(new.port(), 5);
    let cut_off = Fake::start(old.port(), 4);
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", informed.port, cut_off.port);
    let store = brisk(&format!("redis+sentinel://{hosts}/main"));
    let store = store.connect().await.unwrap();
    // The store has read both sentinels.
    let heard = |fake: &Fake| fake.asked.load(Ordering::SeqCst);
    until("heard", || async {
        heard(&informed) > 1 && heard(&cut_off) > 1
    })
    .await;
    until("writing to the new one", || async {
        let written = store.put(&put(1, "x")).await;
        written.is_ok() && new.command(&["EXISTS", key(1).as_str()]).unwrap().int() == Some(1)
    })
    .await;
    informed.kill();
    let before = heard(&cut_off);
    for id in 2_u64.. {
        let written = store.put(&put(id, "x")).await;
        let there = old.command(&["EXISTS", key(id).as_str()]).unwrap();
        assert_eq!(there.int(), Some(0), "it is lost: {written:?}");
        if heard(&cut_off) > before + 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_master_that_asks_for_a_password_is_distinguished_from_its_sentinels() {
    let master = RedisOptions::new().with_password("sesame").start().unwrap();
    let sentinel = Fake::start(master.port(), 1);
    let host = format!("127.0.0.1:{}", sentinel.port);
    let (kind, text) = error(&format!("redis+sentinel://{host}/main")).await;
    assert_eq!(kind, ErrorKind::Refused(Refusal::Denied));
    let expected = format!("the master of redis+sentinel://{host}/main asks for a user");
    assert!(text.contains(&expected), "{text}");
    assert!(
        text.contains("redis+sentinel://user:password@host/name"),
        "{text}"
    );
    let store = patient(&format!("redis+sentinel://:sesame@{host}/main"));
    let store = store.connect().await.unwrap();
    assert!(store.put(&put(1, "x")).await.unwrap().is_stored());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_was_made_a_replica_is_left_when_it_refuses_a_part_of_a_batch() {
    let trio = RedisSentinels::start().unwrap();
    let store = Arc::new(store(&trio).await);
    let programs = programs(&store);
    let old = trio.master().unwrap();
    let other = trio.servers().iter().find(|it| it.port() != old.port());
    let other = other.unwrap().port().to_string();
    // Only the client that asks may learn about it.
    for sentinel in trio.sentinels() {
        sentinel.freeze().unwrap();
    }
    let (look, add) = (Look::default(), Add { by: 1, ms: 60_000 });
    for _ in 0..2 {
        // Then the server has the scripts.
        until("well", || async {
            let added = programs.run(&tally(2), &add).await;
            added.is_ok() && programs.run(&tally(1), &look).await.is_ok()
        })
        .await;
        ok(old, &["REPLICAOF", "127.0.0.1", &other]);
        let (one, two) = (tally(1), tally(2));
        let (mut read, mut write) = (Run::new(&look), Run::new(&add));
        let calls: Calls<'_> = vec![(&one, &mut read as _), (&two, &mut write as _)];
        let answers = programs.call_many(calls).await;
        assert!(answers[0].is_ok(), "{answers:?}");
        let refused = answers[1].as_ref().unwrap_err().kind();
        assert_eq!(refused, ErrorKind::Refused(Refusal::ReadOnly));
        // The store has dropped the connection, and none of the three servers is a master.
        let error = store.get(&key(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotSent, "{error}");
        ok(old, &["REPLICAOF", "NO", "ONE"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_made_in_the_middle_of_a_failover_waits_for_the_master() {
    let trio = RedisSentinels::start().unwrap();
    let master = trio.master().unwrap();
    let other = trio.servers().iter().find(|it| it.port() != master.port());
    let other = other.unwrap().port().to_string();
    let asked = calls(&master, "role");
    ok(master, &["REPLICAOF", "127.0.0.1", &other]);
    let connecting = patient(&trio.url()).with_connect_timeout(Duration::from_secs(20));
    let failing_over = async {
        // The first server that the store connects to is not a master.
        until("asked", || async { calls(&master, "role") > asked }).await;
        ok(master, &["REPLICAOF", "NO", "ONE"]);
    };
    let (store, ()) = tokio::join!(connecting.connect(), failing_over);
    let store = store.unwrap();
    until("well", || async { store.put(&put(1, "x")).await.is_ok() }).await;
}

/// Starts a server that reports that it is a master on every connection except the second.
fn master_on_all_but_the_second_dial(subscribed: Arc<AtomicU64>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for (dial, stream) in (1_u64..).zip(listener.incoming()) {
            let (stream, subscribed) = (stream.unwrap(), subscribed.clone());
            std::thread::spawn(move || {
                let mut writer = stream.try_clone().unwrap();
                let mut reader = BufReader::new(stream);
                while let Some(command) = read(&mut reader) {
                    let reply = match &command[0].to_ascii_uppercase()[..] {
                        b"HELLO" => {
                            "%2\r\n+version\r\n+7.0.15\r\n+mode\r\n+standalone\r\n".to_owned()
                        }
                        b"PING" => "+PONG\r\n".to_owned(),
                        b"ROLE" if dial == 2 => "*1\r\n$5\r\nslave\r\n".to_owned(),
                        b"ROLE" => "*1\r\n$6\r\nmaster\r\n".to_owned(),
                        b"SUBSCRIBE" => {
                            subscribed.store(dial, Ordering::SeqCst);
                            let channel = String::from_utf8_lossy(&command[1]);
                            let length = channel.len();
                            format!(">3\r\n$9\r\nsubscribe\r\n${length}\r\n{channel}\r\n:1\r\n")
                        }
                        _ => "-ERR not here\r\n".to_owned(),
                    };
                    if writer.write_all(reply.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn the_first_connection_to_a_master_is_listened_on_whatever_was_dialed_before_it() {
    let subscribed = Arc::new(AtomicU64::new(0));
    let master = master_on_all_but_the_second_dial(subscribed.clone());
    let sentinel = Fake::start(master, 1);
    let url = format!("redis+sentinel://127.0.0.1:{}/main", sentinel.port);
    let store = Arc::new(patient(&url).connect().await.unwrap());
    let channel = Channel::new(Topic::broadcast("news"), 1_u8);
    let bus = store.bus().unwrap();
    let _subscription = bus
        .subscribe(SubscribeRequest::to_channel(channel))
        .await
        .unwrap();
    assert_eq!(subscribed.load(Ordering::SeqCst), 3);
}
