use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use http_body::{Body, Frame};
use tokio::time::{Instant, timeout_at};

use crate::body::Sink;
use crate::engine::Exchange;
use crate::entry::Entry;
use crate::forward::Forwarding;
use crate::storage::FETCH_LIMIT;

/// Reads a body that may be stored, at the pace of the inner service, gives each frame to the
/// reader as it comes, and stores the whole.
///
/// The reader learns of the end after the response is stored, so that its next request finds it. Who
/// waits does not depend on how fast the reader is, or whether it is still there.
pub(crate) struct Pump {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) exchange: Exchange,
    pub(crate) forwarding: Forwarding,
}

impl Pump {
    pub(crate) async fn run<B: Body<Data = Bytes>>(self, mut body: Pin<Box<B>>, sink: Sink<B>) {
        let deadline = Instant::now() + FETCH_LIMIT.saturating_sub(Duration::from_secs(1));
        let mut chunks: Vec<Bytes> = Vec::new();
        let mut length = 0;
        loop {
            if body.is_end_stream() {
                return self.store(chunks, length).await;
            }
            let frame = match timeout_at(deadline, next(&mut body)).await {
                Err(_) => {
                    self.forwarding.give_up();
                    return sink.hand_over(body);
                }
                Ok(None) => return self.store(chunks, length).await,
                Ok(Some(Err(error))) => {
                    self.forwarding.give_up();
                    return sink.fail(error);
                }
                Ok(Some(Ok(frame))) => frame,
            };
            let chunk = match frame.into_data() {
                Ok(chunk) => chunk,
                Err(frame) => {
                    // It has trailers, which a stored response could not repeat.
                    if let Ok(trailers) = frame.into_trailers() {
                        sink.push_trailers(trailers);
                    }
                    return self.forwarding.give_up();
                }
            };
            length += chunk.len();
            if length > self.forwarding.shared.max_body {
                sink.push(chunk);
                let now = self.forwarding.shared.storage.now();
                self.forwarding.pass_from_now_on(now);
                self.forwarding.give_up();
                return sink.hand_over(body);
            }
            chunks.push(chunk.clone());
            if body.is_end_stream() {
                self.store(chunks, length).await;
                return sink.push(chunk);
            }
            sink.push(chunk);
        }
    }

    /// Stores the response, unless it is shorter or longer than it said.
    async fn store(self, chunks: Vec<Bytes>, length: usize) {
        let said = self.headers.get(header::CONTENT_LENGTH);
        let said = said.map(|said| said.to_str().ok()?.parse::<usize>().ok());
        if said.is_some_and(|said| said != Some(length)) {
            return self.forwarding.give_up();
        }
        let body = joined(chunks, length);
        let entry = Entry::received(
            &self.forwarding.shared.view,
            self.status,
            self.headers,
            body,
            self.exchange,
        );
        self.forwarding.store(entry).await;
    }
}

async fn next<B: Body>(body: &mut Pin<Box<B>>) -> Option<Result<Frame<B::Data>, B::Error>> {
    std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await
}

/// The chunks as one, in an allocation of its own: a chunk may be a small part of a large read
/// buffer, which must not live as long as what is stored.
fn joined(chunks: Vec<Bytes>, length: usize) -> Bytes {
    let mut body = BytesMut::with_capacity(length);
    for chunk in chunks {
        body.extend_from_slice(&chunk);
    }
    body.freeze()
}
