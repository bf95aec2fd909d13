//! The fault proxy passes on, listens and ends as it is told.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use larder_test::proxy::{Direction, FaultProxy};
use larder_test::server::RedisServer;

use super::{DEADLINE, Outcome};

/// Both ends of one connection through a proxy.
pub(super) struct Ends {
    pub(super) client: TcpStream,
    pub(super) server: TcpStream,
}

/// A proxy, and what it stands in front of.
pub(super) struct Scene {
    pub(super) proxy: FaultProxy,
    upstream: TcpListener,
}

impl Scene {
    pub(super) fn new() -> Self {
        let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
        let proxy = FaultProxy::start(upstream.local_addr().expect("an address")).expect("a proxy");
        Self { proxy, upstream }
    }

    /// Connects through the proxy; the connection is open when this returns.
    pub(super) fn connect(&self) -> Ends {
        let client = TcpStream::connect(self.proxy.address()).expect("it listens");
        let (server, _) = self.upstream.accept().expect("it dials");
        for end in [&client, &server] {
            end.set_nodelay(true).expect("an open socket");
            end.set_read_timeout(Some(DEADLINE)).expect("not zero");
        }
        Ends { client, server }
    }
}

pub(super) fn send(to: &mut TcpStream, bytes: &[u8]) {
    to.write_all(bytes).expect("it is taken");
}

/// Exactly so many bytes.
pub(super) fn take(from: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    from.read_exact(&mut bytes).expect("that many bytes");
    bytes
}

/// All bytes up to the end, and how the end came.
pub(super) fn rest(from: &mut TcpStream) -> (Vec<u8>, Result<(), ErrorKind>) {
    let mut bytes = Vec::new();
    let end = from.read_to_end(&mut bytes);
    (bytes, end.map(drop).map_err(|error| error.kind()))
}

pub(super) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn refused(address: SocketAddr) -> bool {
    let refusal = TcpStream::connect(address).map_err(|error| error.kind());
    refusal.err() == Some(ErrorKind::ConnectionRefused)
}

#[test]
fn a_healthy_proxy_passes_every_byte_on_both_ways_and_counts_it() {
    let scene = Scene::new();
    let Ends {
        mut client,
        mut server,
    } = scene.connect();
    // More than all buffers on the way hold together.
    let large: Vec<u8> = (0..8 << 20).map(|_| fastrand::u8(..)).collect();
    let sent = large.clone();
    let sender = thread::spawn(move || {
        send(&mut client, &sent);
        client
    });
    assert!(take(&mut server, large.len()) == large);
    let mut client = sender.join().unwrap();
    send(&mut server, b"reply");
    assert_eq!(take(&mut client, 5), b"reply");
    assert_eq!(scene.proxy.bytes(Direction::Requests), large.len() as u64);
    assert_eq!(scene.proxy.bytes(Direction::Replies), 5);
    assert_eq!(
        (
            scene.proxy.accepted(),
            scene.proxy.open(),
            scene.proxy.ended()
        ),
        (1, 1, 0)
    );
}

#[test]
fn each_direction_ends_for_itself() {
    let scene = Scene::new();
    let Ends {
        mut client,
        mut server,
    } = scene.connect();
    send(&mut client, b"last words");
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&mut server), (b"last words".to_vec(), Ok(())));
    send(&mut server, b"answer");
    drop(server);
    assert_eq!(rest(&mut client), (b"answer".to_vec(), Ok(())));
    until("the end of both", || scene.proxy.ended() == 1);
    assert_eq!(scene.proxy.open(), 0);
}

#[test]
fn a_refusing_proxy_keeps_what_is_open_and_comes_back_on_its_port() -> Outcome {
    let scene = Scene::new();
    let Ends {
        mut client,
        mut server,
    } = scene.connect();
    for _ in 0..3 {
        scene.proxy.refuse()?;
        assert!(refused(scene.proxy.address()));
        send(&mut client, b"still here");
        assert_eq!(take(&mut server, 10), b"still here");
        scene.proxy.listen()?;
        scene.proxy.listen()?;
        let mut new = scene.connect();
        send(&mut new.client, b"new");
        assert_eq!(take(&mut new.server, 3), b"new");
    }
    scene.proxy.refuse()?;
    scene.proxy.heal()?;
    scene.connect();
    Ok(())
}

#[test]
fn reset_and_closed_connections_end_at_both_ends_as_they_should() {
    let scene = Scene::new();
    let (mut one, mut two) = (scene.connect(), scene.connect());
    send(&mut one.server, b"before");
    assert_eq!(take(&mut one.client, 6), b"before");
    assert_eq!(scene.proxy.reset(), 2);
    assert_eq!((scene.proxy.open(), scene.proxy.ended()), (0, 2));
    for end in [
        &mut one.client,
        &mut one.server,
        &mut two.client,
        &mut two.server,
    ] {
        assert_eq!(rest(end), (Vec::new(), Err(ErrorKind::ConnectionReset)));
    }

    let Ends {
        mut client,
        mut server,
    } = scene.connect();
    let closer = thread::spawn(move || {
        let ends = (rest(&mut client), rest(&mut server));
        drop((client, server));
        ends
    });
    assert_eq!(scene.proxy.close(), 1);
    let end = (Vec::new(), Ok(()));
    assert_eq!(closer.join().unwrap(), (end.clone(), end));
}

#[test]
fn a_client_is_reset_when_the_upstream_refuses_and_another_upstream_can_take_over() -> Outcome {
    let scene = Scene::new();
    let mut server = RedisServer::start()?;
    server.kill();
    let upstream = scene.upstream.local_addr()?;
    scene.proxy.set_upstream(server.address());
    let mut client = TcpStream::connect(scene.proxy.address())?;
    assert_eq!(rest(&mut client).1, Err(ErrorKind::ConnectionReset));
    scene.proxy.set_upstream(upstream);
    let mut ends = scene.connect();
    send(&mut ends.client, b"here");
    assert_eq!(take(&mut ends.server, 4), b"here");
    Ok(())
}

#[test]
fn a_dropped_proxy_is_gone_with_its_connections() {
    let is_gone = |_| {
        let scene = Scene::new();
        let mut ends = scene.connect();
        let address = scene.proxy.address();
        drop(scene);
        let is_refused = refused(address);
        assert_eq!(rest(&mut ends.client).0, b"");
        assert_eq!(rest(&mut ends.server).0, b"");
        is_refused
    };
    // Another test may get the port as soon as it is free.
    assert!((0..3).any(is_gone));
}

#[tokio::test(start_paused = true)]
async fn a_client_speaks_to_a_server_through_it_even_where_the_clock_is_paused() -> Outcome {
    let server = RedisServer::start()?;
    let proxy = FaultProxy::start(server.address())?;
    proxy.delay(Direction::Replies, Duration::from_millis(20));
    let client = redis::Client::open(proxy.url())?;
    let answer = tokio::task::spawn_blocking(move || -> redis::RedisResult<String> {
        redis::cmd("PING").query(&mut client.get_connection()?)
    });
    assert_eq!(answer.await??, "PONG");
    Ok(())
}
