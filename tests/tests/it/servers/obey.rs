//! A server is frozen, killed and restarted on command.

use std::io::ErrorKind;
use std::time::Duration;

use larder_test::server::{RedisOptions, RedisServer, Reply};

use super::trace::{Trace, runs};
use super::{DEADLINE, Outcome, pong};

#[test]
fn a_stopped_server_takes_a_command_and_answers_it_when_it_goes_on() -> Outcome {
    let server = RedisServer::start()?;
    let mut connection = server.connect()?;
    connection.set_patience(Duration::from_millis(50))?;
    for _ in 0..3 {
        server.stop()?;
        connection.send(&["PING"])?;
        let wait = connection.receive().map_err(|error| error.kind());
        assert!(
            matches!(wait, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)),
            "{wait:?}"
        );
        server.cont()?;
        connection.set_patience(DEADLINE)?;
        assert_eq!(connection.receive()?, pong());
        connection.set_patience(Duration::from_millis(50))?;
    }
    Ok(())
}

#[test]
fn a_stopped_server_is_gone_when_dropped() -> Outcome {
    let server = RedisServer::start()?;
    let trace = Trace::of(&server);
    server.stop()?;
    server.stop()?;
    drop(server);
    assert!(trace.is_gone(), "{trace:?} is still there");
    Ok(())
}

#[test]
fn a_killed_server_refuses_and_a_restarted_one_has_its_url_and_no_data() -> Outcome {
    let mut server = RedisServer::start()?;
    let (url, unix_url, first) = (server.url(), server.unix_url(), Trace::of(&server));
    server.command(&["SET", "seat", "A1"])?;
    server.kill();
    assert_eq!(server.pid(), None);
    assert!(!runs(first.pid));
    let refusal = server.command(&["PING"]).map_err(|error| error.kind());
    assert_eq!(refusal, Err(ErrorKind::ConnectionRefused));
    assert!(server.stop().is_err());

    server.restart()?;
    assert_eq!((server.url(), server.unix_url()), (url, unix_url));
    assert_ne!(server.pid(), Some(first.pid));
    assert_eq!(server.command(&["GET", "seat"])?, Reply::Nil);
    Ok(())
}

#[test]
fn a_server_is_restarted_while_it_is_stopped_and_has_open_connections() -> Outcome {
    let mut server = RedisServer::start()?;
    let mut before = server.connect()?;
    server.stop()?;
    server.restart()?;
    assert!(before.call(&["PING"]).is_err());
    assert_eq!(server.command(&["PING"])?, pong());
    Ok(())
}

#[test]
fn settings_reach_the_server_and_what_it_saves_outlives_a_restart() -> Outcome {
    let options = RedisOptions::new().with_setting("maxmemory", "8mb");
    let mut server = options.with_setting("appendonly", "yes").start()?;
    let limit = server.command(&["CONFIG", "GET", "maxmemory"])?;
    let bulk = |text: &str| Reply::Bulk(text.into());
    assert_eq!(
        limit,
        Reply::Array(vec![bulk("maxmemory"), bulk("8388608")])
    );
    server.command(&["SET", "seat", "A1"])?;
    server.restart()?;
    assert_eq!(server.command(&["GET", "seat"])?, bulk("A1"));
    Ok(())
}

#[test]
fn a_killed_client_sees_the_end_of_its_connection() -> Outcome {
    let server = RedisServer::start()?;
    let mut client = server.connect()?;
    assert_eq!(client.call(&["PING"])?, pong());
    assert_eq!(
        server.command(&["CLIENT", "KILL", "TYPE", "normal"])?,
        Reply::Int(1)
    );
    assert!(client.call(&["PING"]).is_err());
    Ok(())
}
