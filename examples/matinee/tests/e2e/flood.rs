//! A flood of requests does not keep others out.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::Duration;

use larder_test::server::RedisOptions;

use crate::app::App;
use crate::corpus::wire;
use crate::plan::Plan;
use crate::visitor::{ADA, Visitor};

/// The number of addresses of the flood. `MATINEE_FLOOD` sets another number, for runs of hours on an
/// idle machine: 36000 on Redis, 230000 in memory.
const ADDRESSES: usize = 3_000;
/// The number of concurrent senders.
const SIDES: usize = 8;
/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn addresses() -> usize {
    let set = std::env::var("MATINEE_FLOOD").ok();
    set.map_or(ADDRESSES, |number| number.parse().unwrap())
}

#[test]
fn a_flood_of_addresses_on_a_small_redis_keeps_nobody_from_signing_in() {
    // For 36,000 addresses it is 48 MB, which is a small server.
    let memory = 8 * 1024 * 1024 + addresses() * 1_165;
    let redis = RedisOptions::new()
        .with_setting("maxmemory", memory.to_string())
        .with_setting("maxmemory-policy", "noeviction")
        .start()
        .unwrap();
    assert_nobody_is_kept_out(Plan::on(redis), another_page);
}

#[test]
fn a_flood_of_addresses_in_memory_keeps_nobody_from_signing_in() {
    // The limit remembers each address for five minutes, in which all of them come.
    let plan = Plan::memory().with("RATE_LIMIT", "300/24 hours");
    // The cheapest page: only the limits have something to store.
    assert_nobody_is_kept_out(plan, |_| "/tickets".to_owned());
}

fn assert_nobody_is_kept_out(plan: Plan, page: fn(usize) -> String) {
    let app = plan
        .with("TRUSTED_PROXIES", "127.0.0.1")
        .with("SIGN_IN_LIMIT", "5/15minutes")
        .alone()
        .open();
    let each = addresses() / SIDES;
    thread::scope(|scope| {
        let app = &app;
        let sides: Vec<_> = (0..SIDES)
            .map(|side| scope.spawn(move || flood(app, page, side * each, each)))
            .collect();
        let mut times = 0;
        while !sides.iter().all(|side| side.is_finished()) {
            times += 1;
            assert_signs_in(app, times, "during the flood");
            thread::sleep(Duration::from_millis(500));
        }
        for side in sides {
            side.join().unwrap();
        }
    });
    assert_signs_in(&app, 0, "after the flood");
}

/// Signs in at every server, each time from another address.
fn assert_signs_in(app: &App, time: u32, when: &str) {
    let address = Ipv4Addr::from_bits(0x0a00_0000 + time);
    for server in app.servers() {
        let visitor = Visitor::forwarded(address.to_string());
        // On a busy machine an answer of the store may be late; a store without room stays without.
        let sign_in = || visitor.try_sign_in(server, ADA.email, ADA.password);
        let mut answer = sign_in();
        for _ in 0..4 {
            if answer.status == 503 {
                answer = sign_in();
            }
        }
        assert_eq!(answer.status, 303, "{when}: {answer:?}");
    }
}

/// Returns a page that has not been requested, at least not from that address.
fn another_page(number: usize) -> String {
    let film = number % (addresses() / 12).min(3_200) + 1;
    match number % 8 {
        0 => format!("/films/{film}?utm_source={number}"),
        1 => format!("/films/{}{film}", "0".repeat(number % 100)),
        2 => format!("/?q=word{number}"),
        3 => format!("/?genre=Genre{number}"),
        4 => format!("/?page={}", 200 + number % 99_000),
        5 => format!("/api/films?q=x{number}"),
        6 => format!("/films/{number}{number}"),
        _ => format!("/?fbclid={number}&page=1"),
    }
}

/// Sends requests from that many addresses.
fn flood(app: &App, page: fn(usize) -> String, from: usize, many: usize) {
    let server = &app.servers()[from % app.servers().len()];
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    for number in from..from + many {
        let address = Ipv4Addr::from_bits(0x0b00_0000 + u32::try_from(number).unwrap());
        let path = page(number);
        let claim = format!("X-Forwarded-Host: h{number}.example");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: matinee.example\r\nX-Forwarded-For: {address}\r\n{claim}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let (reply, _) = wire::next_reply(&mut stream);
        assert!(
            matches!(reply.status, 200 | 303 | 404),
            "{path}: {}",
            reply.status
        );
    }
}

/// Linux tells how much memory a process has.
#[cfg(target_os = "linux")]
#[test]
fn hundreds_of_sign_ins_leave_the_memory_of_the_process_as_it_was() {
    const SIGN_INS: usize = 400;
    const AT_ONCE: usize = 16;
    const MORE: u64 = 100 * 1024 * 1024;
    let app = Plan::memory().alone().open();
    let before = app.first().resident();
    let sign_in = |number: usize| {
        let answer = Visitor::new().try_sign_in(app.first(), ADA.email, ADA.password);
        // A busy machine refuses some and tells them to come again, as intended.
        let status = answer.status.as_u16();
        assert!(matches!(status, 303 | 503), "{number}: {answer:?}");
        usize::from(status == 303)
    };
    let signed_in: usize = thread::scope(|scope| {
        let sign_in = &sign_in;
        let sides: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(move || (0..SIGN_INS.div_ceil(AT_ONCE)).map(sign_in).sum::<usize>())
            })
            .collect();
        sides.into_iter().map(|side| side.join().unwrap()).sum()
    });
    let after = app.first().resident();
    println!("{signed_in} sign-ins: from {before} to {after} bytes");
    assert!(signed_in > SIGN_INS / 2, "{signed_in}");
    assert!(after < before + MORE, "from {before} to {after} bytes");
}
