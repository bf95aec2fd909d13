//! One connection, from its start to its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::faults::{Direction, Faults};
use super::pipe::Pipe;
use super::state::{End, ProxyState};

/// A registered connection. Dropping it removes the registration.
pub(super) struct Connection {
    pub(super) number: u64,
    pub(super) faults: watch::Receiver<Faults>,
    pub(super) state: Arc<ProxyState>,
}

/// The time for which a closed connection is still read.
///
/// Dropping a socket with unread bytes would reset the connection, and the other side could lose bytes that
/// were passed on.
const LINGER: Duration = Duration::from_secs(1);

impl Connection {
    pub(super) async fn serve(
        self,
        mut client: TcpStream,
        mut upstream: TcpStream,
        order: oneshot::Receiver<End>,
    ) {
        // So that each piece that the proxy passes on is sent as a separate segment.
        let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
        let end = {
            let (from_client, to_client) = client.split();
            let (from_upstream, to_upstream) = upstream.split();
            let requests = self.pipe(Direction::Requests, from_client, to_upstream);
            let replies = self.pipe(Direction::Replies, from_upstream, to_client);
            let passed = async { tokio::try_join!(requests, replies) };
            tokio::select! {
                outcome = passed => outcome.err(),
                // If the sender is gone, nothing can end the connection, and it goes on.
                Ok(end) = order => Some(end),
            }
        };
        match end {
            // Both sides have closed.
            None => {}
            Some(End::Close) => {
                tokio::join!(close(&mut client), close(&mut upstream));
            }
            Some(End::Reset) => {
                let _ = (client.set_zero_linger(), upstream.set_zero_linger());
            }
        }
        // Close the sockets before the state counts the connection as ended.
        drop((client, upstream));
    }

    async fn pipe(
        &self,
        direction: Direction,
        from: ReadHalf<'_>,
        to: WriteHalf<'_>,
    ) -> Result<(), End> {
        let faults = self.faults.clone();
        Pipe::new(direction, self.number, faults, &self.state)
            .run(from, to)
            .await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.state.leave(self.number);
    }
}

/// Closes the sending side, and reads until the other side closes.
async fn close(stream: &mut TcpStream) {
    let _ = stream.shutdown().await;
    let mut ignored = [0; 4096];
    let drain = async { while let Ok(1..) = stream.read(&mut ignored).await {} };
    let _ = timeout(LINGER, drain).await;
}
