//! Limits.

use super::two_clients;

#[test]
fn a_window_whose_client_died_after_incr_never_ends() {
    let (_server, mut died, mut app) = two_clients();
    assert_eq!(died.int("INCR requests:ada"), 1);
    drop(died); // before its EXPIRE
    // The others set no expiry, since for them the answer is not 1.
    assert_eq!(app.int("INCR requests:ada"), 2);
    assert_eq!(app.int("TTL requests:ada"), -1, "it has no TTL");
}

#[test]
fn twice_the_limit_passes_around_the_boundary_of_two_fixed_windows() {
    let (_server, mut app, _) = two_clients();
    let limit = 3;
    let mut passed = 0;
    // The recipe with its expiry, and a window that is about to end when the requests come.
    let mut burst = |app: &mut super::Client, window: &str| {
        for _ in 0..limit {
            let count = app.int("INCR requests:ada");
            if count == 1 {
                app.run(&format!("PEXPIRE requests:ada {window}"));
            }
            passed += u32::from(count <= limit);
        }
    };
    burst(&mut app, "20");
    app.until_expired("requests:ada");
    burst(&mut app, "60000");
    assert_eq!(passed, 6, "at once, where three of a minute were meant");
}

#[test]
fn a_sliding_window_in_two_steps_lets_two_requests_have_the_last_place() {
    let (_server, mut one, mut other) = two_clients();
    let limit = 1;
    let mut passed = 0;
    let counts = [
        one.int("ZCARD requests:ada"),
        other.int("ZCARD requests:ada"),
    ];
    for (client, count) in [&mut one, &mut other].into_iter().zip(counts) {
        if count < limit {
            passed += 1;
            client.run(&format!("ZADD requests:ada 1000 request-{passed}"));
        }
    }
    assert_eq!(passed, 2);
}

#[test]
fn a_sliding_window_that_adds_first_never_lets_in_whoever_keeps_trying() {
    let (_server, mut app, _) = two_clients();
    let (limit, window) = (3, 60);
    // A request each second for ten minutes, which is 57 too many for each minute.
    let mut passed = 0;
    for second in 0..600 {
        app.run(&format!(
            "ZREMRANGEBYSCORE requests:ada 0 {}",
            second - window
        ));
        app.run(&format!("ZADD requests:ada {second} request-{second}"));
        passed += u32::from(app.int("ZCARD requests:ada") <= limit);
    }
    assert_eq!(
        passed, 3,
        "three of ten minutes, where three of each minute were meant"
    );
}

#[test]
fn a_token_bucket_in_two_steps_gives_one_token_to_two() {
    let (_server, mut one, mut other) = two_clients();
    one.run("SET tokens:ada 1");
    let seen = [one.text("GET tokens:ada"), other.text("GET tokens:ada")];
    let mut taken = 0;
    for (client, seen) in [&mut one, &mut other].into_iter().zip(seen) {
        let tokens: i64 = seen.expect("tokens").parse().expect("a number");
        if tokens > 0 {
            taken += 1;
            client.run(&format!("SET tokens:ada {}", tokens - 1));
        }
    }
    assert_eq!(
        (taken, one.text("GET tokens:ada").as_deref()),
        (2, Some("0"))
    );
}
