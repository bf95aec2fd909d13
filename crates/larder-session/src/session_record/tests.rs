//! Compares what the Lua writes and accepts for a session with what the Rust reads.

use std::time::Duration;

use larder_store::program::Programs;
use larder_store::{ManualClock, Store};
use larder_test::server::RedisServer;

use super::*;
use crate::EndReason;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;

/// A session on a server.
struct OnServer {
    server: RedisServer,
    programs: Arc<dyn Programs>,
    key: Key,
}

impl OnServer {
    async fn new() -> Self {
        let (server, clock) = (RedisServer::start().unwrap(), ManualClock::default());
        clock.advance(Duration::from_secs(1));
        let store: Arc<dyn Store> = Arc::new(larder_worlds::traces::lua(&server, clock).await);
        Self {
            server,
            programs: store.programs().unwrap(),
            key: SessionRecord::key(DeviceId::random()),
        }
    }

    /// Begins another session, whose secret has the hash 1.
    async fn begin(&mut self) {
        self.key = SessionRecord::key(DeviceId::random());
        let create = Create {
            hash: [1; 32],
            idle: HOUR,
            absolute: 24 * HOUR,
            user: Some(user()),
            choice: Choice::default(),
            fields: [("a".into(), Bytes::from_static(b"i5"))].into(),
        };
        assert!(self.programs.run(&self.key, &create).await.unwrap());
    }

    async fn rotate(&self, from: u8, grace: i64, sign_in: Option<SignIn>) -> Option<i64> {
        let rotate = Rotate {
            from: [from; 32],
            to: [from + 1; 32],
            idle: HOUR,
            grace,
            sign_in,
        };
        self.programs.run(&self.key, &rotate).await.unwrap()
    }

    async fn apply(&self) -> Applied {
        let apply = Apply {
            generation: 1,
            idle: HOUR,
            max_weight: 1_000,
            changes: vec![("a".into(), Change::Set(Bytes::from_static(b"i6")))],
        };
        self.programs.run(&self.key, &apply).await.unwrap()
    }

    async fn read(&self) -> Option<Held> {
        self.programs.run(&self.key, &Read).await.unwrap()
    }

    /// Asserts that every program that reads the fields treats the session as absent.
    async fn assert_is_absent(&self, what: &str) {
        assert!(self.read().await.is_none(), "{what}");
        let peeked = self.programs.run(&self.key, &Peek).await.unwrap();
        assert!(peeked.is_none(), "{what}");
        assert!(self.apply().await == Applied::Gone, "{what}");
        assert_eq!(self.rotate(2, 0, None).await, None, "{what}");
    }

    /// Returns the version of the layout.
    fn form(&self) -> u8 {
        let form = self
            .server
            .command(&["GETRANGE", self.key.as_str(), "0", "0"]);
        form.unwrap().text().unwrap().as_bytes()[0]
    }

    fn damage(&self, at: usize, by: &[u8]) {
        let (key, at) = (self.key.as_str().as_bytes(), at.to_string());
        let command: [&[u8]; 4] = [b"SETRANGE", key, at.as_bytes(), by];
        self.server.command(&command).unwrap();
    }
}

fn user() -> SessionUser {
    SessionUser {
        id: "ada".into(),
        epoch: [9; 16],
        since: 2,
        all: 4,
        method: Some("otp".into()),
    }
}

/// A release that does not know the time of a rotation would misread it, and write back what it read.
#[tokio::test]
async fn a_session_is_written_for_earlier_releases_too_unless_it_has_the_time_of_a_rotation() {
    let mut session = OnServer::new().await;
    session.begin().await;
    assert_eq!(session.form(), 3);
    for (from, grace) in [(1, 0), (2, SECOND)] {
        assert_eq!(session.rotate(from, grace, None).await, Some(1));
        assert_eq!(session.form(), 4, "{grace}");
        assert!(session.apply().await == Applied::Done);
        assert_eq!(session.form(), 4, "{grace}");
    }
    let sign_in = SignIn {
        user: user(),
        absolute: HOUR,
        choice: Choice::default(),
    };
    assert_eq!(session.rotate(3, SECOND, Some(sign_in)).await, Some(1));
    assert_eq!(session.form(), 3);
    let Some(Held::Live(stored)) = session.read().await else {
        panic!("it is a session");
    };
    let until = stored.metadata.seen + SECOND;
    assert_eq!(stored.outdated, Some(Box::new(([3; 32], until))));
    assert_eq!((stored.rotated, stored.hash), (0, [4; 32]));
}

#[tokio::test]
async fn a_damaged_session_is_absent_to_every_program() {
    // Last seen, the deadlines, the creation, the two of the choice, the rotation, the end of its grace, the
    // sign-in, and the generation of everyone's sessions.
    let times = [33, 41, 49, 57, 73, 81, 90, 131, 160, 168];
    let wrong: [&[u8]; 3] = [b"\x7f", b"\xff", b"\0\x20\0\0\0\0\0\x01"];
    let others: [(usize, &[u8]); 6] = [
        // The version, the weight, the cookie's expiry, and the lengths of the previous secret, of the method and
        // of a value.
        (0, b"\x05"),
        (72, b"\x01"),
        (89, b"\x03"),
        (98, b"\x30"),
        (176, b"\xff"),
        (184, b"\xff"),
    ];
    let mut damage = others.to_vec();
    for at in times {
        damage.extend(wrong.map(|by| (at, by)));
    }
    let mut session = OnServer::new().await;
    for (at, by) in damage {
        session.begin().await;
        assert_eq!(session.rotate(1, SECOND, None).await, Some(1));
        assert!(matches!(session.read().await, Some(Held::Live(_))));
        session.damage(at, by);
        let (programs, key, what) = (&session.programs, &session.key, format!("{at} {by:?}"));
        session.assert_is_absent(&what).await;
        // It reads the head alone, and no field whose weight it could compare.
        if at < 90 && at != 72 {
            let touch = Touch {
                idle: HOUR,
                touch: 0,
            };
            assert!(!programs.run(key, &touch).await.unwrap(), "{what}");
        }
        // Nobody's session is left to refuse this.
        let destroy = Destroy {
            whose: Whose::Of("grace".into()),
            reason: Some(EndReason::Administrator),
            keep: Ttl::from_secs(60),
            call: [1; 16],
        };
        let destroyed = programs.run(key, &destroy).await.unwrap();
        assert_eq!(destroyed, Destroyed::Absent, "{what}");
        assert!(session.read().await.is_none(), "{what}");
    }
}

/// Otherwise one program would read the first, and another the last.
#[tokio::test]
async fn a_session_that_names_a_field_twice_is_absent_to_every_program() {
    const FIELD: &[u8] = b"\x01\0\0\0\x02ai7";
    let mut session = OnServer::new().await;
    session.begin().await;
    assert_eq!(session.rotate(1, SECOND, None).await, Some(1));
    // Its weight says so too: twice 32, and the bytes of both.
    session.damage(72, b"\x46");
    session.damage(188, FIELD);
    session.assert_is_absent("twice").await;
    // With another name it is a session with two fields.
    session.damage(193, b"b");
    let Some(Held::Live(stored)) = session.read().await else {
        panic!("it is a session");
    };
    assert_eq!(stored.fields.get("a"), Some(&b"i5"[..]));
    assert_eq!(stored.fields.get("b"), Some(&b"i7"[..]));
    assert!(session.apply().await == Applied::Done);
}
