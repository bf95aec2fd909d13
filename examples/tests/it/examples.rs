//! The page of each example, played on both backends.

use larder_test::server::{RedisServer, Sandbox};

use crate::curl::Shell;
use crate::example::{self, Example};
use crate::transcript::{self, Step};

fn play(name: &str) {
    let redis = RedisServer::start().unwrap();
    for store_url in ["memory://", &redis.url()] {
        let example = Example::start(name, store_url);
        let mut shell = Shell::new();
        for step in transcript::of(&format!("examples/{name}.rs")) {
            step.expect(&shell.run(&step.command, example.address()));
        }
    }
}

/// Runs an example that ends by itself.
fn tell(name: &str) {
    let redis = RedisServer::start().unwrap();
    for store_url in ["memory://".to_owned(), redis.url()] {
        let settings = [("STORE_URL", store_url)];
        for step in transcript::of(&format!("examples/{name}.rs")) {
            step.expect(&example::run(name, std::iter::empty(), &settings));
        }
    }
}

#[test]
fn the_front_page_does_what_it_says() {
    play("front_page");
}

#[test]
fn the_session_example_does_what_its_page_says() {
    play("session");
}

#[test]
fn the_rate_limit_example_does_what_its_page_says() {
    play("rate_limit");
}

#[test]
fn the_response_cache_example_does_what_its_page_says() {
    play("response_cache");
}

#[test]
fn the_cache_example_does_what_its_page_says() {
    play("cache");
}

#[test]
fn the_lock_example_does_what_its_page_says() {
    play("lock");
}

#[test]
fn the_queue_example_does_what_its_page_says() {
    tell("queue");
}

#[test]
fn the_periodic_example_does_what_its_page_says() {
    tell("periodic");
}

#[test]
fn the_counter_example_does_what_its_page_says() {
    tell("counter");
}

#[test]
fn the_buckets_example_does_what_its_page_says() {
    tell("buckets");
}

#[test]
fn the_leaderboard_example_does_what_its_page_says() {
    tell("leaderboard");
}

#[test]
fn the_ledger_example_does_what_its_page_says() {
    tell("ledger");
}

#[test]
fn the_unique_count_example_does_what_its_page_says() {
    tell("unique_count");
}

#[test]
fn the_update_example_does_what_its_page_says() {
    tell("update");
}

#[test]
fn the_sharded_example_does_what_its_page_says() {
    tell("sharded");
}

#[test]
fn the_recent_list_example_does_what_its_page_says() {
    tell("recent_list");
}

#[test]
fn the_member_set_example_does_what_its_page_says() {
    tell("member_set");
}

#[test]
fn the_membership_example_does_what_its_page_says() {
    tell("membership");
}

#[test]
fn the_record_example_does_what_its_page_says() {
    tell("record");
}

#[test]
fn the_blob_example_does_what_its_page_says() {
    tell("blob");
}

#[test]
fn the_events_example_does_what_its_page_says() {
    tell("events");
}

#[test]
fn the_plain_hyper_example_does_what_its_page_says() {
    play("plain_hyper");
}

#[test]
fn the_tonic_example_does_what_its_page_says() {
    let redis = RedisServer::start().unwrap();
    for store_url in ["memory://", &redis.url()] {
        let example = Example::start("tonic", store_url);
        for step in transcript::of("examples/tonic.rs") {
            let arguments = step.command.split_once(" -- ").unwrap().1;
            let arguments: Vec<_> = arguments.split(' ').map(str::to_owned).collect();
            step.expect(&example.run_as_client(&arguments));
        }
    }
}

#[test]
fn the_stampede_example_loads_once_and_a_killed_leader_is_replaced() {
    let redis = RedisServer::start().unwrap();
    for step in transcript::of("examples/stampede.rs") {
        let arguments = step.command.split_once(" -- ").unwrap().1;
        let folder = Sandbox::new().unwrap();
        let log = folder.path().join("loads");
        let settings = [
            ("STORE_URL", redis.url()),
            ("LOAD_LOG", log.display().to_string()),
        ];
        let printed = example::run("stampede", arguments.split(' '), &settings);
        step.expect(&printed);
        let loads = std::fs::read_to_string(log).unwrap();
        let count = loads.lines().count();
        assert!(printed.contains(&format!("| loads | {count} |")));
        assert!(count < 3 || arguments.contains("--naive"), "{printed}");
        let is_id = |line: &str| line.parse::<u32>().is_ok();
        assert!(loads.lines().all(is_id), "{loads}");
    }
}

#[test]
fn two_processes_on_one_store_share_what_they_have_loaded_and_who_is_signed_in() {
    let redis = RedisServer::start().unwrap();
    let url = redis.url();
    let expect = |prints: &str| Step {
        command: "the other process".to_owned(),
        prints: vec![prints.to_owned()],
    };

    let [one, other] = [(); 2].map(|()| Example::start("cache", &url));
    let film = "curl -s http://127.0.0.1:3000/films/7";
    let mut shell = Shell::new();
    expect("Metropolis (loaded)").expect(&shell.run(film, one.address()));
    expect("Metropolis (far)").expect(&shell.run(film, other.address()));

    let [one, other] = [(); 2].map(|()| Example::start("session", &url));
    let sign_in = "curl -s -c jar -d ada http://127.0.0.1:3000/sign-in";
    let account = "curl -s -b jar http://127.0.0.1:3000/account";
    expect("welcome, ada").expect(&shell.run(sign_in, one.address()));
    let here = "ada, signed in on this many devices: 1";
    expect(here).expect(&shell.run(account, other.address()));
}

#[test]
fn an_example_whose_store_fails_answers_503_and_shows_no_error_of_the_store() {
    let try_again = "try again";
    for (name, request, body) in [
        (
            "cache",
            "-d Nosferatu http://127.0.0.1:3000/films/7",
            "changed; seen within five minutes",
        ),
        (
            "lock",
            "-d begin http://127.0.0.1:3000/writers/ada",
            try_again,
        ),
        ("lock", "http://127.0.0.1:3000/report", try_again),
    ] {
        let mut redis = RedisServer::start().unwrap();
        let example = Example::start(name, &redis.url());
        redis.kill();
        let command = format!("curl -si {request}");
        let printed = Shell::new().run(&command, example.address());
        assert!(printed.starts_with("HTTP/1.1 503 "), "{name}: {printed}");
        assert_eq!(printed.lines().last(), Some(body), "{name}: {printed}");
    }
}
