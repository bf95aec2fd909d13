//! The judge of the races of sessions.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::FutureExt;
use larder_proofs::session_races::keeper::{Act, Keeper, Reply};
use larder_proofs::session_races::races::{RACES, Race};
use larder_proofs::session_races::{Pair, broken};

/// One that keeps a single session alive.
struct Revives(&'static str);

#[async_trait]
impl Keeper for Revives {
    async fn answer(&self, cookie: Option<String>, _: Act, _: u8) -> Reply {
        Reply {
            user: cookie.filter(|cookie| cookie == self.0),
            ..Reply::default()
        }
    }

    async fn revoke_all(&self, _: &str) {}

    async fn disable(&self, _: &str) {}

    async fn revoke_everyone(&self) {}
}

#[tokio::test(start_paused = true)]
async fn what_another_instance_revives_is_noticed_in_any_round() {
    let race = Race {
        name: "a round",
        law: "its session is dead",
        run: |round| {
            round.dead_later.push(round.number.clone());
            async { Ok(()) }.boxed()
        },
    };
    for alive in ["1", "37", "150"] {
        let keepers: Pair = [Arc::new(Revives(alive)), Arc::new(Revives("none"))];
        let found = broken(&race, keepers, 150, 1).await;
        assert!(found.is_some(), "the session of round {alive} is alive");
    }
}

/// One that keeps sessions by their numbers, and is wrong in one way.
struct Faulty {
    fault: Fault,
    sessions: Arc<Mutex<Vec<Reply>>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    NobodyIsSignedIn,
    FieldsOutliveTheUser,
}

impl Faulty {
    fn pair(fault: Fault) -> Pair {
        let sessions = Arc::new(Mutex::new(Vec::new()));
        [sessions.clone(), sessions].map(|sessions| Arc::new(Self { fault, sessions }) as _)
    }

    fn end(&self, is: impl Fn(&Reply) -> bool) {
        let mut sessions = self.sessions.lock().expect("no panic");
        for session in sessions.iter_mut().filter(|session| is(session)) {
            session.user = None;
        }
    }
}

#[async_trait]
impl Keeper for Faulty {
    async fn answer(&self, cookie: Option<String>, act: Act, _: u8) -> Reply {
        let mut sessions = self.sessions.lock().expect("no panic");
        let number = cookie.and_then(|cookie| cookie.parse().ok());
        let number = number.unwrap_or_else(|| {
            sessions.push(Reply::default());
            sessions.len() - 1
        });
        let mut seen = sessions[number].clone();
        seen.cookie = Some(number.to_string());
        match act {
            Act::SignIn(user) if self.fault != Fault::NobodyIsSignedIn => {
                sessions[number].user = Some(user);
            }
            Act::Write(field, value) => {
                sessions[number].fields.insert(field, value);
            }
            Act::Rotate => {
                let session = sessions[number].clone();
                sessions[number].user = None;
                seen.cookie = Some(sessions.len().to_string());
                sessions.push(session);
            }
            Act::SignOut => sessions[number].user = None,
            Act::SignIn(_) | Act::Read => {}
        }
        seen
    }

    async fn revoke_all(&self, user: &str) {
        self.end(|session| session.user.as_deref() == Some(user));
    }

    async fn disable(&self, user: &str) {
        self.revoke_all(user).await;
    }

    async fn revoke_everyone(&self) {
        self.end(|_| true);
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_signs_nobody_in_passes_no_race() {
    for race in RACES {
        let found = broken(race, Faulty::pair(Fault::NobodyIsSignedIn), 1, 1).await;
        let found = found.unwrap_or_else(|| panic!("passed: {}", race.name));
        assert!(found.what.contains("not signed in"), "{found}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_keeps_the_fields_of_dead_sessions_passes_no_race_that_ends_one() {
    // The first race ends no session. What is found names the field that is still there.
    for race in &RACES[1..] {
        let found = broken(race, Faulty::pair(Fault::FieldsOutliveTheUser), 1, 1).await;
        let found = found.unwrap_or_else(|| panic!("passed: {}", race.name));
        assert!(found.what.contains("step"), "{found}");
    }
}
