//! A server starts as it was asked to, or says why not.

use std::thread;

use larder_test::server::{Connection, RedisOptions, RedisServer, Reply, StartError};

use super::trace::Trace;
use super::{Outcome, pong};

#[test]
fn a_server_answers_at_once_and_is_gone_when_dropped() -> Outcome {
    let server = RedisServer::start()?;
    let trace = Trace::of(&server);
    assert_eq!(server.command(&["PING"])?, pong());
    assert_eq!(server.url(), format!("redis://127.0.0.1:{}", server.port()));
    assert!(server.socket().exists());
    drop(server);
    assert!(trace.is_gone(), "{trace:?} is still there");
    Ok(())
}

#[test]
fn both_urls_are_what_a_client_takes() -> Outcome {
    let server = RedisOptions::new()
        .with_password("p@ss/w:rd \"#é")
        .start()?;
    for url in [server.url(), server.unix_url()] {
        let mut connection = redis::Client::open(url.as_str())?.get_connection()?;
        let answer: String = redis::cmd("PING").query(&mut connection)?;
        assert_eq!(answer, "PONG", "{url}");
    }
    let mut stranger = Connection::open(server.address())?;
    let refusal = stranger.call(&["PING"])?;
    assert!(
        refusal
            .error()
            .is_some_and(|text| text.starts_with("NOAUTH")),
        "{refusal:?}"
    );
    Ok(())
}

#[test]
fn an_acl_user_may_do_what_its_rules_say() -> Outcome {
    let server = RedisOptions::new()
        .with_user("default", "off")
        .with_user("app", "on >secret ~prod:* +@read +ping")
        .start()?;
    let mut app = redis::Client::open(server.url_as("app", "secret"))?.get_connection()?;
    let missing: Option<String> = redis::cmd("GET").arg("prod:a").query(&mut app)?;
    assert_eq!(missing, None);
    let refusal = redis::cmd("GET").arg("test:a").query::<()>(&mut app);
    assert!(refusal.is_err_and(|error| error.code() == Some("NOPERM")));
    // The harness still may do everything.
    assert_eq!(
        server.command(&["SET", "test:a", "1"])?,
        Reply::Simple("OK".into())
    );
    Ok(())
}

#[test]
fn two_servers_at_once_have_different_ports_and_different_data() -> Outcome {
    let servers = [RedisServer::start()?, RedisServer::start()?];
    assert_ne!(servers[0].port(), servers[1].port());
    servers[0].command(&["SET", "seat", "A1"])?;
    assert_eq!(
        servers[0].command(&["GET", "seat"])?,
        Reply::Bulk(b"A1".to_vec())
    );
    assert_eq!(servers[1].command(&["GET", "seat"])?, Reply::Nil);
    Ok(())
}

#[test]
fn many_servers_started_at_once_each_get_a_port() {
    let starts: Vec<_> = (0..12).map(|_| thread::spawn(RedisServer::start)).collect();
    let servers: Vec<_> = starts
        .into_iter()
        .map(|start| start.join().expect("a start does not panic").unwrap())
        .collect();
    for server in &servers {
        let info = server.command(&["INFO", "server"]).unwrap();
        let pid = format!("process_id:{}\r\n", server.pid().unwrap());
        assert!(
            info.text().unwrap().contains(&pid),
            "{server:?} is answered by another"
        );
    }
}

#[test]
fn a_missing_program_is_an_error_that_says_how_to_install_it() {
    let error = RedisOptions::new()
        .with_program("no-such-redis-server")
        .start()
        .unwrap_err();
    let text = format!("{error:?}");
    assert!(
        text.contains("no-such-redis-server") && text.contains("./scripts/test"),
        "{text}"
    );
}

#[test]
fn a_refused_setting_is_an_error_that_shows_what_the_server_said() {
    let error = RedisOptions::new()
        .with_setting("no-such-setting", "1")
        .start()
        .unwrap_err();
    assert!(matches!(error, StartError::Ended { .. }), "{error}");
    assert!(error.to_string().contains("no-such-setting"), "{error}");
}

#[test]
fn a_port_of_another_server_is_an_error_that_names_it() -> Outcome {
    let first = RedisServer::start()?;
    let error = RedisOptions::new()
        .with_port(first.port())
        .start()
        .unwrap_err();
    assert!(
        error.to_string().contains(&first.port().to_string()),
        "{error}"
    );
    assert_eq!(first.command(&["PING"])?, pong());
    Ok(())
}
