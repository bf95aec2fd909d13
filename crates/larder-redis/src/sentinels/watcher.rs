use std::sync::Arc;
use std::time::Duration;

use ::redis::{AsyncConnectionConfig, PushInfo, RedisResult, Value, pipe};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::reply::{SELECTED, SentinelReply, parse_candidate};
use super::state::SentinelState;
use crate::connection::{Address, ConnectError, Connection, Health, dial};

/// The interval of questions to a sentinel.
const INTERVAL: Duration = Duration::from_secs(1);

/// The pause before a failed sentinel is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// Asks one sentinel for the master; never returns.
pub(super) async fn watch(
    state: Arc<SentinelState>,
    at: usize,
    sentinel: Address,
    deadline: Duration,
) {
    let announced = Arc::new(Notify::new());
    loop {
        let failed = match timeout(deadline, subscribe(&sentinel, &state, &announced)).await {
            Ok(Ok(connection)) => {
                while let Ok(Ok(reply)) = timeout(deadline, ask(&connection, &state.name)).await {
                    state.record(at, reply);
                    tokio::select! {
                        () = announced.notified() => {}
                        () = sleep(jittered(INTERVAL)) => {}
                    }
                }
                ConnectError::Broken
            }
            Ok(Err(error)) => error,
            Err(_) => ConnectError::TimedOut,
        };
        state.record(at, SentinelReply::failed(&failed, &sentinel));
        sleep(jittered(PAUSE)).await;
    }
}

/// Subscribes to a sentinel; notifies `announced` of switches and of a lost connection.
async fn subscribe(
    sentinel: &Address,
    state: &Arc<SentinelState>,
    announced: &Arc<Notify>,
) -> Result<Connection, ConnectError> {
    let (notifier, sentinels) = (announced.clone(), state.clone());
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_push_sender(move |push: PushInfo| {
            match parse_candidate(&push.data, &sentinels.name) {
                Some(host_port) => sentinels.set_candidate(host_port),
                None => notifier.notify_one(),
            }
            Ok::<(), ::redis::aio::SendError>(())
        });
    let health = Arc::new(Health::new(announced.clone()));
    let connection = dial(sentinel, config, health)
        .await
        .map_err(ConnectError::Redis)?;
    let mut multiplexed = connection.multiplexed();
    // Without the permission to subscribe, it is still asked every second.
    let channels = ["+switch-master", SELECTED].as_slice();
    let subscribing: RedisResult<()> = multiplexed.subscribe(channels).await;
    drop(subscribing);
    Ok(connection)
}

async fn ask(connection: &Connection, name: &str) -> RedisResult<SentinelReply> {
    let mut both = pipe();
    both.cmd("SENTINEL").arg("MASTER").arg(name);
    both.cmd("SENTINEL")
        .arg("GET-MASTER-ADDR-BY-NAME")
        .arg(name);
    let mut multiplexed = connection.multiplexed();
    let answers = multiplexed.send_packed_commands(&both, 0, 2).await?;
    let mut answers = answers.into_iter();
    let mut next = || answers.next().unwrap_or(Value::Nil);
    Ok(SentinelReply::read(next(), next()))
}

fn jittered(time: Duration) -> Duration {
    time.mul_f64(0.75 + fastrand::f64() / 2.0)
}
