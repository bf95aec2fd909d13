//! The judge of the races of sessions.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use larder_proofs::session_races::keeper::{Act, Keeper, Reply};
use larder_proofs::session_races::races::Race;
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
