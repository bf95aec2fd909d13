//! The order of writes to one key over connections that break: no write undoes a later write that was
//! acknowledged.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_redis::RedisStore;
use larder_store::{Delete, ErrorKind, Put, PutOutcome, Store, Ttl};
use larder_test::proxy::{Connections, FaultProxy};
use larder_test::server::{RedisOptions, RedisServer};
use tokio::time::sleep;

use crate::black_holes::behind;
use crate::support::{clients, key, ok, put, server, store, until};

#[tokio::test]
async fn a_write_that_was_held_up_does_not_undo_a_removal_that_was_acknowledged() {
    let server = server();
    let (proxy, store) = behind(&server).await;
    proxy.black_hole(Connections::Open);
    let late = put(1, "late");
    let writes = (0..5).map(|_| {
        let (store, late) = (store.clone(), late.clone());
        tokio::spawn(async move { store.put(&late).await })
    });
    let writes: Vec<_> = writes.collect();
    for write in writes {
        let error = write.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MayHaveRun);
    }
    let delete = Delete::new(key(1));
    until("removed", || async { store.delete(&delete).await.is_ok() }).await;
    assert_eq!(proxy.accepted(), 2);
    proxy.end_black_hole();
    until("passed on", || async { proxy.ended() == 1 }).await;
    // Then the server has read everything from the old connection.
    until("alone", || async { clients(&server) == 1 }).await;
    assert_eq!(store.get(&key(1)).await.unwrap(), None);
}

/// Sends writes into a black hole, until the store gives the connection up.
async fn write_into_the_hole(store: &Arc<RedisStore>) {
    let writes = (0..5).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.put(&put(1, "held up")).await })
    });
    let writes: Vec<_> = writes.collect();
    for write in writes {
        let error = write.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MayHaveRun);
    }
}

/// Delivers the writes that were held up, and returns whether they have undone the acknowledged write.
async fn is_undone_by_what_was_held_up(server: &RedisServer, proxy: &FaultProxy) -> bool {
    proxy.end_black_hole();
    // Then the server has read everything from the old connection.
    until("alone", || async { clients(server) == 1 }).await;
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let held = store.get(&key(1)).await.unwrap().unwrap();
    held.value != "acknowledged"
}

#[tokio::test]
async fn held_up_commands_are_removed_although_the_next_connections_break_first() {
    let server = server();
    let (proxy, store) = behind(&server).await;
    let _ = store.put(&put(1, "first")).await.unwrap();
    proxy.drop_requests_with(b"KILL", 2);
    proxy.black_hole(Connections::Open);
    write_into_the_hole(&store).await;
    let new = put(1, "acknowledged");
    until("written", || async {
        matches!(store.put(&new).await, Ok(PutOutcome::Stored))
    })
    .await;
    assert_eq!(proxy.accepted(), 4);
    assert!(!is_undone_by_what_was_held_up(&server, &proxy).await);
}

#[tokio::test]
async fn held_up_commands_are_removed_by_a_server_that_was_busy_with_a_script() {
    let options = RedisOptions::new().with_setting("busy-reply-threshold", "1");
    let server = options.start().unwrap();
    let (proxy, store) = behind(&server).await;
    let _ = store.put(&put(1, "first")).await.unwrap();
    proxy.black_hole(Connections::Open);
    let mut busy = server.connect().unwrap();
    busy.send(&["EVAL", "while true do end", "0"]).unwrap();
    write_into_the_hole(&store).await;
    // The store must ask the server more than once.
    until("dialed twice", || async { proxy.accepted() >= 3 }).await;
    ok(&server, &["SCRIPT", "KILL"]);
    let new = put(1, "acknowledged");
    until("written", || async {
        matches!(store.put(&new).await, Ok(PutOutcome::Stored))
    })
    .await;
    drop(busy);
    assert!(!is_undone_by_what_was_held_up(&server, &proxy).await);
}

/// A proxy whose first connection can be cut on the client's side, while it still holds bytes for the server.
struct Torn {
    address: SocketAddr,
    first: Arc<Mutex<First>>,
}

#[derive(Default)]
struct First {
    holds: bool,
    held: Vec<u8>,
    ends: Option<(TcpStream, TcpStream)>,
}

impl Torn {
    fn before(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let first = Arc::new(Mutex::new(First::default()));
        let known = first.clone();
        std::thread::spawn(move || {
            let mut known = Some(known);
            while let Ok((client, _)) = listener.accept() {
                let server = TcpStream::connect(upstream).unwrap();
                let ends = || (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (mut requests, mut to_server) = ends();
                let (mut to_client, mut replies) = ends();
                let first = known.take();
                if let Some(first) = &first {
                    first.lock().unwrap().ends = Some(ends());
                }
                std::thread::spawn(move || {
                    let mut bytes = [0; 4096];
                    while let Ok(count @ 1..) = requests.read(&mut bytes) {
                        let mut first = first.as_ref().map(|first| first.lock().unwrap());
                        match first.as_mut().filter(|first| first.holds) {
                            Some(first) => first.held.extend_from_slice(&bytes[..count]),
                            // The server has closed the connection.
                            None if to_server.write_all(&bytes[..count]).is_err() => return,
                            None => {}
                        }
                    }
                });
                std::thread::spawn(move || std::io::copy(&mut replies, &mut to_client));
            }
        });
        Self { address, first }
    }

    fn holds(&self) -> bool {
        !self.first.lock().unwrap().held.is_empty()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_held_on_a_torn_connection_do_not_undo_a_later_write() {
    let server = server();
    let way = Torn::before(server.address());
    let url = format!("redis://{}", way.address);
    let store = RedisStore::builder(&url).with_timeout(Duration::from_secs(5));
    let store = Arc::new(store.connect().await.unwrap());
    let _ = store.put(&put(1, "first")).await.unwrap();
    way.first.lock().unwrap().holds = true;
    let writing = store.clone();
    let writing = tokio::spawn(async move { writing.put(&put(1, "held up")).await });
    until("held", || async { way.holds() }).await;
    let First { held, ends, .. } = std::mem::take(&mut *way.first.lock().unwrap());
    let (client, mut upstream) = ends.unwrap();
    client.shutdown(Shutdown::Both).unwrap();
    let error = writing.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MayHaveRun);
    assert!(
        store
            .put(&put(1, "acknowledged"))
            .await
            .unwrap()
            .is_stored()
    );
    // This may fail, because the server has closed the connection.
    let _ = upstream.write_all(&held);
    until("alone", || async { clients(&server) == 1 }).await;
    let held = store.get(&key(1)).await.unwrap().unwrap();
    assert_eq!(held.value, "acknowledged");
}

/// Returns the number under the key, or zero if there is none.
async fn number(store: &RedisStore) -> u64 {
    let held = store.get(&key(1)).await.unwrap();
    held.map_or(0, |held| {
        let text = std::str::from_utf8(&held.value).unwrap();
        text.parse().unwrap()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_write_is_undone_however_connections_break() {
    let server = server();
    let (proxy, witness) = (
        FaultProxy::start(server.address()).unwrap(),
        store(&server).await,
    );
    let builder = RedisStore::builder(&proxy.url()).with_timeout(Duration::from_millis(20));
    let builder = builder.with_connect_timeout(Duration::from_secs(5));
    let (store, done) = (builder.connect().await.unwrap(), AtomicBool::new(false));
    let writing = async {
        let (mut last, mut acknowledged) = (0_u64, 0);
        while !done.load(Ordering::Relaxed) {
            last += 1;
            let put = Put::new(key(1), last.to_string(), Ttl::from_secs(60));
            if let Ok(PutOutcome::Stored) = store.put(&put).await {
                acknowledged = last;
            }
            let held = number(&witness).await;
            assert!(held >= acknowledged, "{held} undid {acknowledged}");
            sleep(Duration::from_millis(1)).await;
        }
        acknowledged
    };
    let breaking = async {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..12 {
            proxy.drop_requests_with(b"KILL", random.u64(..3));
            proxy.black_hole(Connections::Open);
            // Some of these pauses end before the store gives the connection up.
            sleep(Duration::from_millis(random.u64(50..300))).await;
            proxy.drop_replies(random.u64(..2));
            proxy.end_black_hole();
            sleep(Duration::from_millis(random.u64(20..60))).await;
        }
        proxy.heal().unwrap();
        let written = || async { store.put(&put(2, "well")).await.is_ok() };
        until("well again", written).await;
        done.store(true, Ordering::Relaxed);
    };
    let (acknowledged, ()) = tokio::join!(writing, breaking);
    assert!(acknowledged > 12, "{acknowledged}");
}
