//! Numbers, sets, and several commands together.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use larder_test::server::{RedisCluster, slot_of};

use super::two_clients;

#[test]
fn two_who_look_first_sell_the_last_seat_twice() {
    let (_server, mut one, mut other) = two_clients();
    one.run("SET sold 119");
    let seen = [one.text("GET sold"), other.text("GET sold")];
    for (client, seen) in [&mut one, &mut other].into_iter().zip(seen) {
        let sold: i64 = seen.expect("a count").parse().expect("a number");
        if sold < 120 {
            client.run("INCR sold");
        }
    }
    assert_eq!(one.text("GET sold").as_deref(), Some("121"));
}

#[test]
fn a_score_past_2_to_the_53_is_another_one() {
    let (_server, mut app, _) = two_clients();
    app.run("ZADD board 9007199254740993 ada");
    let score = app.text("ZSCORE board ada").expect("a score");
    assert_eq!(score, "9007199254740992");
}

#[test]
fn the_neighbours_that_are_read_after_the_rank_are_not_those_of_the_member() {
    let (_server, mut reader, mut player) = two_clients();
    player.run("ZADD board 30 ada 20 bob 10 cyd");
    let rank = reader.int("ZREVRANK board bob");
    player.run("ZADD board 60 dan 50 eve 40 fay");
    let range = format!("ZREVRANGE board {} {}", rank - 1, rank + 1);
    let around = reader.texts(&range);
    assert!(!around.contains(&"bob".to_owned()), "{around:?}");
}

#[test]
fn a_set_has_no_ttl_until_somebody_gives_it_one() {
    let (_server, mut died, mut app) = two_clients();
    died.run("SADD visitors:monday ada");
    drop(died); // before its EXPIRE
    assert_eq!(app.int("TTL visitors:monday"), -1);
}

#[test]
fn a_pipeline_goes_on_after_a_command_that_failed() {
    let (_server, mut app, _) = two_clients();
    app.run("SET seats text");
    for command in ["DECRBY wallet 12", "INCRBY seats 1", "SET ticket paid"] {
        let words: Vec<_> = command.split(' ').collect();
        app.0.send(&words).expect("sent");
    }
    let replies: Vec<_> = (0..3).map(|_| app.0.receive().expect("a reply")).collect();
    assert!(replies[1].error().is_some(), "{replies:?}");
    let done = (app.text("GET wallet"), app.text("GET ticket"));
    assert_eq!(done, (Some("-12".to_owned()), Some("paid".to_owned())));
}

#[test]
fn a_transaction_with_a_command_that_fails_is_carried_out_by_half() {
    let (_server, mut app, _) = two_clients();
    app.run("SET seats text");
    for command in ["MULTI", "DECRBY wallet 12", "INCRBY seats 1"] {
        app.run(command);
    }
    let replies = app.run("EXEC");
    let replies = replies.array().expect("a reply for each");
    assert!(replies[1].error().is_some(), "{replies:?}");
    assert_eq!(
        app.text("GET wallet").as_deref(),
        Some("-12"),
        "it is paid for nothing"
    );
}

#[test]
fn a_watch_on_a_shared_connection_is_ended_by_the_exec_of_another_task() {
    let (_server, mut shared, mut other_process) = two_clients();
    shared.run("SET plan a");
    // The first task watches and reads. A second task on the same connection ends its own transaction.
    shared.run("WATCH plan");
    let seen = shared.text("GET plan").expect("a plan");
    for command in ["MULTI", "SET unrelated 1", "EXEC"] {
        shared.run(command);
    }
    other_process.run("SET plan b");
    shared.run("MULTI");
    shared.run(&format!("SET plan {seen}+mine"));
    assert!(shared.run("EXEC").array().is_some(), "it was not refused");

    assert_eq!(
        shared.text("GET plan").as_deref(),
        Some("a+mine"),
        "b is lost"
    );
}

#[test]
fn a_script_that_was_loaded_once_is_not_there_after_a_restart() {
    let (mut server, mut app, _) = two_clients();
    let script = app
        .0
        .call(&["SCRIPT", "LOAD", "return 1"])
        .expect("a digest");
    let digest = script.text().expect("a digest").into_owned();
    server.kill();
    server.restart().expect("it runs again");
    let mut app = super::Client::of(&server);
    let again = app.text(&format!("EVALSHA {digest} 0")).expect("an error");
    assert!(again.starts_with("NOSCRIPT"), "{again}");
}

#[test]
fn a_script_that_fails_in_its_middle_has_written_what_came_before() {
    let (_server, mut app, _) = two_clients();
    app.run("SET seats text");
    let script = "redis.call('DECRBY', 'wallet', 12) redis.call('INCRBY', 'seats', 1)";
    let reply = app.0.call(&["EVAL", script, "0"]).expect("an answer");
    assert!(reply.error().is_some(), "{reply:?}");
    assert_eq!(app.text("GET wallet").as_deref(), Some("-12"));
}

#[test]
fn several_keys_in_one_command_are_an_error_if_their_slots_differ() {
    let cluster = RedisCluster::start().expect("a cluster");
    let node = cluster.master_of_slot(slot_of("a")).expect("its master");
    let mut app = super::Client(node.connect().expect("a connection"));
    assert_ne!(slot_of("a"), slot_of("b"));
    app.run("SADD a ada");
    for command in ["SINTER a b", "PFCOUNT a b", "MGET a b", "DEL a b"] {
        let reply = app.run(command);
        let error = reply.error().expect("an error");
        assert!(error.starts_with("CROSSSLOT"), "{command}: {error}");
    }
}

#[test]
fn one_more_server_in_a_list_moves_most_keys() {
    let server_of = |key: u32, servers: u64| {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        hasher.finish() % servers
    };
    let moved = (0..10_000).filter(|key| server_of(*key, 4) != server_of(*key, 5));
    let moved = moved.count();
    assert!(moved > 7_000, "{moved} of 10,000, where a fifth has to");
}
