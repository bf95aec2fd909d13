//! Listens, serves, and stops within a bounded time.

use std::future::{Future, IntoFuture, pending};
use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::ListenerExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::DemoAccounts;
use crate::errors::StartError;
use crate::hosts::AllowedHosts;
use crate::metrics::Metrics;
use crate::{clock, db, operations};

/// How often to check whether the next season must be added.
const PROGRAMME: Duration = Duration::from_secs(60 * 60);
/// The longest time that the worker of letters may take to stop.
const LETTERS: Duration = Duration::from_secs(5);

/// Listens on an address.
///
/// # Errors
///
/// If the address does not belong to this machine, or its port is taken.
pub async fn bind(listen: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(listen)
        .await
        .map_err(|source| StartError::Listen { listen, source })
}

/// Listens for SIGINT (Ctrl-C) and SIGTERM from now on; the future resolves at the first of them.
///
/// # Errors
///
/// If no handler can be installed.
pub fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, StartError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signal)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signal)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Serves the app until `stop` resolves or letters can no longer be sent, then lets requests in flight continue for the
/// time of [`Config::drain`](crate::Config::drain), and closes the database.
///
/// # Errors
///
/// If the listener or the worker of letters fails.
pub async fn serve(
    listener: TcpListener,
    app: App,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), StartError> {
    let address = listener.local_addr().map_err(StartError::Serve)?;
    let (stopping, stopped) = oneshot::channel();
    let (streams, no_letters) = (app.stop.clone(), CancellationToken::new());
    let (letters, ended) = (
        app.mail.run(app.stop.clone()),
        no_letters.clone().drop_guard(),
    );
    let letters = tokio::spawn(async move {
        // Dropped at the end, also by a panic.
        let _ended = ended;
        letters.await
    });
    let stop = async move {
        tokio::select! {
            () = stop => {}
            () = no_letters.cancelled() => tracing::error!("the worker of letters has ended"),
        }
        streams.cancel();
        tracing::info!("stopping: no new connections; requests in flight may finish");
        let _ = stopping.send(());
    };
    let service = app
        .router
        .into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener.tap_io(send_at_once), service)
        .with_graceful_shutdown(stop)
        .into_future();
    let drain = app.config.drain;
    let drained = async {
        let _ = stopped.await;
        sleep(drain).await;
    };

    if app.config.demo_accounts() == DemoAccounts::Open
        && !address.ip().to_canonical().is_loopback()
    {
        tracing::warn!(
            "other machines reach the demo accounts, whose passwords are public: set APP_ENV=production unless they \
             are meant to"
        );
    }
    if !app.config.is_development() && AllowedHosts::of(&app.config).is_none() {
        tracing::warn!(
            "PUBLIC_URL is not set, so every Host is answered and its pages are cached separately: set \
             PUBLIC_URL=https://… to the address that visitors use"
        );
    }
    tracing::info!(address = %format_args!("http://{address}"), store = %app.opened.store.location(), "matinee is listening");
    if app.metrics.is_some() {
        operations::examine(&app.config, app.opened.redis, app.stop.clone());
    }
    tokio::select! {
        result = server => result.map_err(StartError::Serve)?,
        () = drained => tracing::warn!(?drain, "some requests were cut off: they took longer than the drain time"),
        () = upkeep(app.metrics.as_ref()) => {}
        () = app.count_visits.run() => {}
        () = db::keep_programme_ahead(&app.pool, PROGRAMME, clock::now_ms) => {}
    }
    // Letters that are being sent are finished; the others stay in the outbox.
    app.stop.cancel();
    let letters = match timeout(LETTERS, letters).await {
        Ok(Ok(sent)) => sent.map_err(|error| StartError::Letters(error.into())),
        Ok(Err(panicked)) => Err(StartError::Letters(panicked.into())),
        Err(_) => {
            tracing::warn!("the worker of letters was cut off");
            Ok(())
        }
    };
    // A request that was cut off may hold a connection for another moment.
    let _ = timeout(Duration::from_secs(1), app.pool.close()).await;
    tracing::info!("matinee has stopped");
    letters
}

/// Sets `TCP_NODELAY`, so that a body that is written after its head does not wait for the client to
/// acknowledge the head, which may take 40 ms.
fn send_at_once(stream: &mut TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set on a connection");
    }
}

/// Keeps folding the samples of the histograms every few seconds.
async fn upkeep(metrics: Option<&Metrics>) {
    let Some(metrics) = metrics else {
        return pending().await;
    };
    let mut ticks = interval(Duration::from_secs(5));
    loop {
        ticks.tick().await;
        metrics.exported.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use larder_test::server::Sandbox;

    use super::*;
    use crate::config::{Config, Operations};

    #[tokio::test]
    async fn an_app_whose_letters_are_no_longer_sent_stops_with_an_error() {
        let sandbox = Sandbox::new().unwrap();
        let config = Config {
            database_url: "sqlite::memory:".to_owned(),
            mail_dir: sandbox.path().join("mail"),
            // A schedule refuses an interval of zero, so the worker ends at once.
            remind_every: Duration::ZERO,
            operations: Operations::Off,
            ..Config::default()
        };
        let app = crate::app(config).await.unwrap();
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let serving = serve(bind(listen).await.unwrap(), app, pending());
        let ended = timeout(Duration::from_secs(5), serving).await;
        let error = ended.expect("it stops").expect_err("it says why");
        assert!(matches!(error, StartError::Letters(_)), "{error}");
    }
}
