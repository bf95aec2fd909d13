//! What the tests share.

use std::sync::Arc;
use std::time::Duration;

use larder_proofs::leases::{Crew, Event, break_for};
use larder_test::server::RedisServer;

/// Returns what two crews of four did on a server that is broken for `time` in ways that `seed` draws.
pub(crate) async fn history_of_a_broken_server<F>(
    time: Duration,
    seed: u64,
    work: impl Fn(Crew) -> F,
) -> Vec<Event>
where
    F: Future<Output = Vec<Event>>,
{
    let server = Arc::new(RedisServer::start().expect("a redis-server"));
    let crew = |number| Crew {
        url: server.url(),
        tasks: 4,
        time,
        seed: seed << 8 | number,
    };
    let (one, other) = (work(crew(0)), work(crew(1)));
    let broken = server.clone();
    let breaking = move || break_for(&broken, time, &mut fastrand::Rng::with_seed(seed));
    let breaking = tokio::task::spawn_blocking(breaking);
    let (one, other, broke) = tokio::join!(one, other, breaking);
    broke.expect("the server was broken");
    one.into_iter().chain(other).collect()
}
