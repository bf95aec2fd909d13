//! How the recipes of `docs/patterns.md` fail: plain commands, in an order that happens, on a real server.
//!
//! Each test asserts the harm that is done, so the page claims nothing that a reader cannot see.

mod caching;
mod coordination;
mod data;
mod limits;
mod queues;

use std::time::{Duration, Instant};

use larder_test::server::{Connection, RedisServer, Reply};

/// A process of an app, with a connection of its own.
struct Client(Connection);

/// A server, and two processes that use it.
fn two_clients() -> (RedisServer, Client, Client) {
    let server = RedisServer::start().expect("a redis-server");
    let (one, other) = (Client::of(&server), Client::of(&server));
    (server, one, other)
}

impl Client {
    fn of(server: &RedisServer) -> Self {
        Self(server.connect().expect("a connection"))
    }

    /// Runs a command, whose words are separated by one space.
    fn run(&mut self, command: &str) -> Reply {
        let words: Vec<_> = command.split(' ').collect();
        self.0.call(&words).expect("an answer")
    }

    fn text(&mut self, command: &str) -> Option<String> {
        self.run(command).text().map(|text| text.into_owned())
    }

    /// Waits until a key is gone, whose time to live is a few milliseconds.
    fn until_expired(&mut self, key: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.int(&format!("EXISTS {key}")) == 1 {
            assert!(Instant::now() < deadline, "{key} has not expired");
        }
    }

    fn int(&mut self, command: &str) -> i64 {
        self.run(command).int().expect("a number")
    }

    /// The texts of a list, in the order of the answer.
    fn texts(&mut self, command: &str) -> Vec<String> {
        let reply = self.run(command);
        let items = reply.array().expect("a list").iter();
        items
            .map(|it| it.text().expect("a text").into_owned())
            .collect()
    }
}
