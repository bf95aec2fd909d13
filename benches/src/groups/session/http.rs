//! A server on the loopback, and a client that costs next to nothing.

use std::net::SocketAddr;

use axum::Router;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// A server that ends with this.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    pub(super) fn start(runtime: &Runtime, pages: &Router) -> Self {
        let pages = pages.clone();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let task = tokio::spawn(async move {
                axum::serve(listener, pages).await.expect("it serves");
            });
            Self { address, task }
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Asks for `path` again and again on one connection.
pub(super) async fn visit(address: SocketAddr, path: &str, cookie: String, times: usize) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\ncookie: {cookie}\r\n\r\n");
    let (mut held, mut room) = (Vec::new(), [0; 2048]);
    for _ in 0..times {
        let sent = stream.write_all(request.as_bytes()).await;
        sent.expect("the server reads");
        held.clear();
        // The page is the last thing of a response, which a server sends in one go.
        while !held.ends_with(b"Paris, Texas") {
            let read = stream.read(&mut room).await.expect("the server answers");
            assert!(read > 0, "the server closed");
            held.extend_from_slice(&room[..read]);
        }
        assert!(held.starts_with(b"HTTP/1.1 200 "));
    }
}
