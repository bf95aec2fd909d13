//! Each fault of the proxy does what it says, to the byte.

use std::io::{ErrorKind, Read as _};
use std::net::TcpStream;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::{Duration, Instant};

use larder_test::proxy::{Connections, Direction};

use super::DEADLINE;
use super::proxy::{Ends, Scene, rest, send, take, until};

/// Whether nothing comes for a while.
fn is_silent(from: &mut TcpStream) -> bool {
    from.set_read_timeout(Some(Duration::from_millis(30)))
        .expect("not zero");
    let silent = from.read(&mut [0]).map_err(|error| error.kind());
    from.set_read_timeout(Some(DEADLINE)).expect("not zero");
    matches!(silent, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

#[test]
fn a_delay_is_latency_in_one_direction_and_nothing_overtakes() {
    let scene = Scene::new();
    let Ends {
        mut client,
        mut server,
    } = scene.connect();
    let delay = Duration::from_millis(60);
    scene.proxy.delay(Direction::Replies, delay);
    let start = Instant::now();
    for number in 0..20 {
        send(&mut client, &[number]);
        assert_eq!(take(&mut server, 1), [number]);
        send(&mut server, &[number]);
    }
    assert_eq!(take(&mut client, 20), (0..20).collect::<Vec<_>>());
    // One after the other they would take twenty times as long.
    let took = start.elapsed();
    assert!(took >= delay, "{took:?}");
    scene
        .proxy
        .delay(Direction::Replies, Duration::from_secs(3_600));
    send(&mut server, b"late");
    assert!(is_silent(&mut client));
    scene.proxy.delay(Direction::Replies, Duration::ZERO);
    assert_eq!(take(&mut client, 4), b"late");
}

#[test]
fn a_black_hole_keeps_what_comes_and_hands_it_over_in_the_end() {
    let scene = Scene::new();
    let (mut old, mut quiet) = (scene.connect(), scene.connect());
    scene.proxy.black_hole(Connections::Open);
    let mut new = scene.connect();
    send(&mut old.client, b"request");
    send(&mut old.server, b"reply");
    assert!(is_silent(&mut old.client) && is_silent(&mut old.server));
    send(&mut new.client, b"well");
    assert_eq!(take(&mut new.server, 4), b"well");

    scene.proxy.black_hole(Connections::OpenAndNew);
    let mut newest = scene.connect();
    for ends in [&mut new, &mut newest] {
        send(&mut ends.client, b"lost?");
        assert!(is_silent(&mut ends.server));
    }
    // Nobody hears that a side has gone, either.
    drop((old.client, quiet.client));
    assert!(is_silent(&mut old.server) && is_silent(&mut quiet.server));
    assert_eq!(scene.proxy.open(), 4);

    scene.proxy.end_black_hole();
    assert_eq!(take(&mut old.server, 7), b"request");
    for ends in [&mut new, &mut newest] {
        assert_eq!(take(&mut ends.server, 5), b"lost?");
    }
    assert_eq!(rest(&mut quiet.server), (Vec::new(), Ok(())));
    drop((old.server, quiet.server));
    until("the end of those that were left", || {
        scene.proxy.ended() == 2
    });
}

#[test]
fn the_next_cut_comes_after_so_many_bytes_and_only_once() {
    let scene = Scene::new();
    for direction in [Direction::Requests, Direction::Replies] {
        for count in [0, 3, 5] {
            scene.proxy.cut_next_after(direction, count);
            let Ends {
                mut client,
                mut server,
            } = scene.connect();
            let (from, to) = match direction {
                Direction::Requests => (&mut client, &mut server),
                Direction::Replies => (&mut server, &mut client),
            };
            send(from, b"12345");
            let (passed, end) = rest(to);
            assert_eq!(passed, b"12345"[..count as usize], "{direction:?}");
            assert_eq!(end, Ok(()));
        }
    }
    let Ends {
        mut client,
        mut server,
    } = scene.connect();
    send(&mut client, b"12345");
    assert_eq!(take(&mut server, 5), b"12345");
}

#[test]
fn every_connection_is_cut_for_itself_until_that_is_over() {
    let scene = Scene::new();
    let mut old = scene.connect();
    send(&mut old.server, b"before");
    assert_eq!(take(&mut old.client, 6), b"before");
    scene.proxy.cut_every_after(Direction::Replies, 4);
    let mut ends = [old, scene.connect(), scene.connect()];
    for Ends { client, server } in &mut ends {
        send(server, b"12");
        assert_eq!(take(client, 2), b"12");
    }
    for Ends { client, server } in &mut ends {
        send(server, b"345");
        assert_eq!(rest(client), (b"34".to_vec(), Ok(())));
    }
    scene.proxy.cut_every_after(Direction::Replies, None);
    let Ends {
        mut client,
        mut server,
    } = scene.connect();
    send(&mut server, b"12345");
    assert_eq!(take(&mut client, 5), b"12345");
}

#[test]
fn a_dropped_request_is_never_passed_on_and_closes_its_connection() {
    let scene = Scene::new();
    scene.proxy.drop_requests_with(b"KILL", 2);
    for _ in 0..2 {
        let Ends {
            mut client,
            mut server,
        } = scene.connect();
        send(&mut client, b"before");
        assert_eq!(take(&mut server, 6), b"before");
        send(&mut client, b"CLIENT KILL ID 1");
        assert_eq!(rest(&mut client), (Vec::new(), Ok(())));
        assert_eq!(rest(&mut server), (Vec::new(), Ok(())));
    }
    let Ends {
        mut client,
        mut server,
    } = scene.connect();
    send(&mut client, b"CLIENT KILL ID 1");
    assert_eq!(take(&mut server, 16), b"CLIENT KILL ID 1");
}

#[test]
fn a_dropped_reply_comes_after_the_request_was_passed_on_and_closes_its_connection() {
    let scene = Scene::new();
    scene.proxy.drop_replies(2);
    for _ in 0..2 {
        let Ends {
            mut client,
            mut server,
        } = scene.connect();
        send(&mut client, b"do it");
        assert_eq!(take(&mut server, 5), b"do it");
        send(&mut server, b"done");
        assert_eq!(rest(&mut client), (Vec::new(), Ok(())));
        assert_eq!(rest(&mut server), (Vec::new(), Ok(())));
    }
    assert_eq!(scene.proxy.replies_dropped(), 2);
    let Ends {
        mut client,
        mut server,
    } = scene.connect();
    send(&mut server, b"done");
    assert_eq!(take(&mut client, 4), b"done");
    assert_eq!(
        (
            scene.proxy.replies_dropped(),
            scene.proxy.bytes(Direction::Replies)
        ),
        (2, 4)
    );
}

#[test]
fn a_throttle_holds_the_rate_and_can_be_lifted_at_any_time() {
    let scene = Scene::new();
    let Ends {
        mut client,
        mut server,
    } = scene.connect();
    scene
        .proxy
        .throttle(Direction::Replies, NonZeroU32::new(1_000));
    let start = Instant::now();
    send(&mut server, &[7; 200]);
    assert_eq!(take(&mut client, 200), [7; 200]);
    // The last piece is paid for after it was passed on.
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(150), "{took:?}");
    send(&mut client, &[8; 200_000]);
    assert_eq!(take(&mut server, 200_000), [8; 200_000]);

    scene.proxy.throttle(Direction::Replies, NonZeroU32::new(1));
    send(&mut server, &[9; 100_000]);
    assert_eq!(take(&mut client, 1), [9]);
    scene.proxy.throttle(Direction::Replies, None);
    assert_eq!(take(&mut client, 99_999), [9; 99_999]);
}

#[test]
fn a_sliced_reply_comes_in_pieces_and_whole() {
    let scene = Scene::new();
    let Ends {
        mut client,
        mut server,
    } = scene.connect();
    scene.proxy.slice(Direction::Replies, NonZeroUsize::new(1));
    // One byte a millisecond, where the throttle alone would pass on twenty at a time. A reader on a
    // busy machine may miss that, but not every time.
    scene
        .proxy
        .throttle(Direction::Replies, NonZeroU32::new(1_000));
    until("a reader that keeps up", || {
        send(&mut server, &[7; 100]);
        let (mut reply, mut reads) = (Vec::new(), 0);
        while reply.len() < 100 {
            let mut piece = [0; 100];
            let read = client.read(&mut piece).unwrap();
            reply.extend_from_slice(&piece[..read]);
            reads += 1;
        }
        assert_eq!(reply, [7; 100]);
        reads >= 20
    });
    scene.proxy.throttle(Direction::Replies, None);
    let large: Vec<u8> = (0..10_000).map(|_| fastrand::u8(..)).collect();
    send(&mut server, &large);
    assert!(take(&mut client, large.len()) == large);
}

#[test]
fn corrupted_replies_are_the_same_in_every_run_and_requests_stay_whole() {
    let sent: Vec<u8> = (0..10_000).map(|_| fastrand::u8(..)).collect();
    let run = |seed| {
        let scene = Scene::new();
        let Ends {
            mut client,
            mut server,
        } = scene.connect();
        scene.proxy.corrupt_replies(seed, NonZeroU32::new(100));
        send(&mut client, &sent);
        assert!(take(&mut server, sent.len()) == sent);
        send(&mut server, &sent);
        let got = take(&mut client, sent.len());
        let differ = got.iter().zip(&sent).filter(|(got, sent)| got != sent);
        assert_eq!(differ.count() as u64, scene.proxy.bytes_corrupted());
        scene.proxy.corrupt_replies(seed, None);
        send(&mut server, b"whole");
        assert_eq!(take(&mut client, 5), b"whole");
        got
    };
    let damaged = run(7);
    assert!(damaged != sent);
    assert!(run(7) == damaged);
    assert!(run(8) != damaged);
}

#[test]
fn healing_ends_every_fault_and_every_plan() {
    let scene = Scene::new();
    for direction in [Direction::Requests, Direction::Replies] {
        scene.proxy.delay(direction, Duration::from_secs(3_600));
        scene.proxy.throttle(direction, NonZeroU32::new(1));
        scene.proxy.slice(direction, NonZeroUsize::new(1));
        scene.proxy.cut_next_after(direction, 0);
        scene.proxy.cut_every_after(direction, 0);
    }
    scene.proxy.black_hole(Connections::OpenAndNew);
    scene.proxy.drop_replies(9);
    scene.proxy.drop_requests_with(&[1], 9);
    scene.proxy.corrupt_replies(1, NonZeroU32::new(1));
    scene.proxy.refuse().unwrap();
    scene.proxy.heal().unwrap();
    let Ends {
        mut client,
        mut server,
    } = scene.connect();
    send(&mut client, &[1; 50_000]);
    assert_eq!(take(&mut server, 50_000), [1; 50_000]);
    send(&mut server, &[2; 50_000]);
    assert_eq!(take(&mut client, 50_000), [2; 50_000]);
}
