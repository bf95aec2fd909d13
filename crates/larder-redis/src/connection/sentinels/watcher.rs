use std::sync::Arc;
use std::time::Duration;

use ::redis::{AsyncConnectionConfig, PushInfo, RedisResult, Value, pipe};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::council::Council;
use super::opinion::{Opinion, SELECTED, selected};
use crate::connection::dial::dial;
use crate::connection::fault::Fault;
use crate::connection::health::Health;
use crate::connection::line::Line;
use crate::connection::target::Address;

/// How often a sentinel is asked that says nothing by itself.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long a sentinel that failed is left alone.
const PAUSE: Duration = Duration::from_millis(500);

/// Asks one sentinel where the master is, for ever.
pub(super) async fn watch(council: Arc<Council>, at: usize, sentinel: Address, deadline: Duration) {
    let announced = Arc::new(Notify::new());
    loop {
        let failed = match timeout(deadline, subscribe(&sentinel, &council, &announced)).await {
            Ok(Ok(line)) => {
                while let Ok(Ok(opinion)) = timeout(deadline, ask(&line, &council.name)).await {
                    council.hear(at, opinion);
                    tokio::select! {
                        () = announced.notified() => {}
                        () = sleep(jittered(INTERVAL)) => {}
                    }
                }
                Fault::Broken
            }
            Ok(Err(fault)) => fault,
            Err(_) => Fault::TimedOut,
        };
        council.hear(at, Opinion::failed(&failed, &sentinel));
        sleep(jittered(PAUSE)).await;
    }
}

/// A connection to a sentinel, which says at once when it has switched a master, or ends.
async fn subscribe(
    sentinel: &Address,
    council: &Arc<Council>,
    announced: &Arc<Notify>,
) -> Result<Line, Fault> {
    let (told, heard) = (announced.clone(), council.clone());
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_push_sender(move |push: PushInfo| {
            match selected(&push.data, &heard.name) {
                Some(place) => heard.select(place),
                None => told.notify_one(),
            }
            Ok::<(), ::redis::aio::SendError>(())
        });
    let health = Arc::new(Health::new(announced.clone()));
    let line = dial(sentinel, config, health).await.map_err(Fault::Redis)?;
    let mut connection = line.connection();
    // Where that is not allowed, it is still asked every second.
    let channels = ["+switch-master", SELECTED].as_slice();
    let subscribing: RedisResult<()> = connection.subscribe(channels).await;
    drop(subscribing);
    Ok(line)
}

async fn ask(line: &Line, name: &str) -> RedisResult<Opinion> {
    let mut both = pipe();
    both.cmd("SENTINEL").arg("MASTER").arg(name);
    both.cmd("SENTINEL")
        .arg("GET-MASTER-ADDR-BY-NAME")
        .arg(name);
    let mut connection = line.connection();
    let answers = connection.send_packed_commands(&both, 0, 2).await?;
    let mut answers = answers.into_iter();
    let mut next = || answers.next().unwrap_or(Value::Nil);
    Ok(Opinion::read(next(), next()))
}

fn jittered(time: Duration) -> Duration {
    time.mul_f64(0.75 + fastrand::f64() / 2.0)
}
