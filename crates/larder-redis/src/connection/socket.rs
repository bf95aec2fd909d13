use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::health::Health;

/// A socket that reports its end to the connection's health first.
///
/// The order matters. A request that is pushed into the client's queue while its driver ends stays
/// there, and its caller is never notified. So a caller that has pushed checks the health
/// afterwards: either it was good, and the driver's end still removes the request from the queue;
/// or it was not, and there is nothing to wait for.
pub(crate) struct Socket<S> {
    stream: S,
    health: Arc<Health>,
}

impl<S> Socket<S> {
    pub(crate) fn new(stream: S, health: Arc<Health>) -> Self {
        Self { stream, health }
    }

    fn watch<T>(&self, done: io::Result<T>) -> io::Result<T> {
        if done.is_err() {
            self.health.dropped();
        }
        done
    }
}

impl<S> Drop for Socket<S> {
    fn drop(&mut self) {
        self.health.dropped();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining();
        let done = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        if done.is_ok() && room > 0 && buffer.remaining() == room {
            self.health.dropped();
        }
        Poll::Ready(self.watch(done))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        Poll::Ready(self.watch(done))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices));
        Poll::Ready(self.watch(done))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        Poll::Ready(self.watch(done))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;

    use super::*;

    fn pair() -> (
        Socket<tokio::io::DuplexStream>,
        tokio::io::DuplexStream,
        Arc<Health>,
    ) {
        let health = Arc::new(Health::new(Arc::new(Notify::new())));
        let (ours, theirs) = tokio::io::duplex(64);
        (Socket::new(ours, health.clone()), theirs, health)
    }

    #[tokio::test]
    async fn a_socket_that_works_is_good() {
        let (mut socket, mut server, health) = pair();
        socket.write_all(b"PING").await.unwrap();
        server.write_all(b"PONG").await.unwrap();
        let mut answer = [0; 4];
        socket.read_exact(&mut answer).await.unwrap();
        let nothing = socket.read(&mut []).await.unwrap();
        assert!(health.is_good() && nothing == 0 && &answer == b"PONG");
    }

    #[tokio::test]
    async fn the_end_of_the_stream_is_reported() {
        let (mut socket, server, health) = pair();
        drop(server);
        assert_eq!(socket.read(&mut [0; 4]).await.unwrap(), 0);
        assert!(!health.is_good());
    }

    #[tokio::test]
    async fn a_failed_write_is_reported() {
        let (mut socket, server, health) = pair();
        drop(server);
        assert!(socket.write_all(&[0; 128]).await.is_err());
        assert!(!health.is_good());
    }

    #[test]
    fn a_closed_socket_is_reported() {
        let (socket, _server, health) = pair();
        drop(socket);
        assert!(!health.is_good());
    }
}
