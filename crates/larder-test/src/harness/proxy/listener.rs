//! Accepts connections.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, mpsc::Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::harness::port;

use super::connection::Connection;
use super::faults::Faults;
use super::state::ProxyState;

/// An order to the listener, and the channel that confirms it.
pub(super) enum Order {
    Refuse(Sender<io::Result<()>>),
    Listen(Sender<io::Result<()>>),
}

/// The listener and all connections, on one thread.
pub(super) struct Front {
    runtime: Runtime,
    listener: TcpListener,
    address: SocketAddr,
    faults: watch::Receiver<Faults>,
    state: Arc<ProxyState>,
}

const MOST_CONNECTIONS: usize = 1_024;

/// The time within which the upstream must accept a connection.
const DIAL: Duration = Duration::from_secs(5);

/// The number of attempts to get a port that was free a moment ago.
const ATTEMPTS: usize = 20;

/// Returns a listener on a free loopback port.
pub(super) fn listen_anywhere() -> io::Result<StdListener> {
    let mut bound = Err(io::ErrorKind::AddrInUse.into());
    for _ in 0..ATTEMPTS {
        // Not a port that the system chooses: see `port`.
        bound = StdListener::bind((Ipv4Addr::LOCALHOST, port::free()?));
        if bound.is_ok() {
            break;
        }
    }
    bound
}

impl Front {
    pub(super) fn over(
        listener: StdListener,
        faults: watch::Receiver<Faults>,
        state: Arc<ProxyState>,
    ) -> io::Result<(Self, SocketAddr)> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let listener = {
            let _guard = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let front = Self {
            runtime,
            listener,
            address,
            faults,
            state,
        };
        Ok((front, address))
    }

    /// Serves on its own thread, until the last sender of orders is dropped.
    pub(super) fn spawn(
        self,
        orders: mpsc::UnboundedReceiver<Order>,
    ) -> io::Result<JoinHandle<()>> {
        let Self {
            runtime,
            listener,
            address,
            faults,
            state,
        } = self;
        let door = Door { faults, state };
        let serve = async move { door.serve(listener, address, orders).await };
        thread::Builder::new()
            .name("larder-fault-proxy".to_owned())
            .spawn(move || runtime.block_on(serve))
    }
}

struct Door {
    faults: watch::Receiver<Faults>,
    state: Arc<ProxyState>,
}

impl Door {
    async fn serve(
        self,
        listener: TcpListener,
        address: SocketAddr,
        mut orders: mpsc::UnboundedReceiver<Order>,
    ) {
        let mut listener = Some(listener);
        loop {
            tokio::select! {
                client = accept(listener.as_ref()) => self.admit(client),
                order = orders.recv() => match order {
                    Some(Order::Refuse(done)) => {
                        listener = None;
                        let _ = done.send(Ok(()));
                    }
                    Some(Order::Listen(done)) => {
                        let outcome = match listener {
                            Some(_) => Ok(()),
                            None => TcpListener::bind(address)
                                .await
                                .map(|bound| listener = Some(bound)),
                        };
                        let _ = done.send(outcome);
                    }
                    None => return,
                },
            }
        }
    }

    fn admit(&self, client: TcpStream) {
        let Some((number, order)) = self.state.enter(MOST_CONNECTIONS) else {
            let _ = client.set_zero_linger();
            return;
        };
        let connection = Connection {
            number,
            faults: self.faults.clone(),
            state: self.state.clone(),
        };
        let upstream = self.faults.borrow().upstream;
        tokio::spawn(async move {
            match timeout(DIAL, TcpStream::connect(upstream)).await {
                Ok(Ok(upstream)) => connection.serve(client, upstream, order).await,
                // A reset: after an accept the connection can no longer be refused.
                _ => drop(client.set_zero_linger()),
            }
        });
    }
}

/// Accepts the next connection. Waits for ever without a listener.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    loop {
        match listener.accept().await {
            Ok((client, _)) => return client,
            // For example too many open files, which may be over soon.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}
