use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame};
use tokio::time::{Instant, timeout_at};

use super::flights::FetchOutcome;
use super::forward::Miss;
use crate::engine::{Exchange, Refusal};
use crate::response::Sink;
use crate::storage::{CommitOutcome, FETCH_LIMIT, StoredResponse};

/// The number of frames that are read before other tasks get their turn.
const FRAMES_AT_ONCE: usize = 64;

/// The `detail` of a body that ended early (RFC 9111, 3.3).
const INCOMPLETE: &str = "incomplete";

/// Reads a body that may be stored, passes each frame to the client, and stores the whole.
///
/// It reads at the pace of the inner service. Requests that wait do not depend on how fast the client
/// is, or whether it is still there. The client gets the end after the response is stored, so that its
/// next request finds it.
pub(super) struct BodyRecorder {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) exchange: Exchange,
    /// The declared length, in bytes.
    pub(super) length: Option<u64>,
    pub(super) miss: Miss,
}

/// The outcome of a recording.
pub(super) enum RecordOutcome {
    /// It was read to its end.
    Complete(CommitOutcome, Arc<StoredResponse>),
    /// It is not stored, for this reason. The client reads the rest.
    NotStored(&'static str),
}

impl BodyRecorder {
    pub(super) async fn run<B: Body<Data = Bytes>>(
        mut self,
        mut body: Pin<Box<B>>,
        sink: Sink<B>,
    ) -> RecordOutcome {
        let deadline = Instant::now() + self.time_left();
        let mut chunks: Vec<Bytes> = Vec::new();
        let (mut length, mut frames) = (0, 0);
        loop {
            if body.is_end_stream() {
                return self.store_and_end(chunks, length, sink).await;
            }
            frames += 1;
            if frames % FRAMES_AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
            let frame = match timeout_at(deadline, next_frame(&mut body)).await {
                Err(_) => {
                    self.mark();
                    self.release();
                    sink.hand_over(body);
                    return RecordOutcome::NotStored("timeout");
                }
                Ok(None) => return self.store_and_end(chunks, length, sink).await,
                Ok(Some(Err(error))) => {
                    self.release();
                    sink.fail(error);
                    return RecordOutcome::NotStored(INCOMPLETE);
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
                    self.mark();
                    self.release();
                    sink.end();
                    return RecordOutcome::NotStored("trailers");
                }
            };
            if chunk.is_empty() {
                // Empty chunks are skipped: any number of them could be held without reaching a limit.
                continue;
            }
            length += chunk.len();
            let cache = &self.miss.cache;
            let too_much = if length > cache.max_body {
                self.mark();
                Some(Refusal::TooLarge.as_str())
            } else if !sink.reserve(chunk.len()) {
                cache.metrics.recording_refused();
                Some("recording-limit")
            } else {
                None
            };
            if let Some(detail) = too_much {
                sink.push(chunk);
                self.release();
                sink.hand_over(body);
                return RecordOutcome::NotStored(detail);
            }
            chunks.push(chunk.clone());
            if body.is_end_stream() {
                let recorded = self.store(chunks, length, &sink).await;
                sink.push(chunk);
                sink.end();
                return recorded;
            }
            sink.push(chunk);
        }
    }

    /// Returns how long the body may take. A response that comes later is not stored.
    fn time_left(&self) -> Duration {
        let now = self.miss.cache.storage.now();
        let last = FETCH_LIMIT.saturating_sub(Duration::from_secs(1));
        last.saturating_sub(now.since(self.exchange.sent))
    }

    /// Remembers that the next response will not be stored either.
    fn mark(&self) {
        self.miss.mark_hit_for_miss(self.miss.cache.storage.now());
    }

    /// Reports to the requests that wait that there is no response for them.
    fn release(&mut self) {
        self.miss.end(FetchOutcome::NotShared);
    }

    /// Stores the response, and then ends the client's body.
    async fn store_and_end<B: Body>(
        self,
        chunks: Vec<Bytes>,
        length: usize,
        sink: Sink<B>,
    ) -> RecordOutcome {
        let recorded = self.store(chunks, length, &sink).await;
        sink.end();
        recorded
    }

    /// Stores the response, unless the length of its body differs from the declared one.
    async fn store<B: Body>(
        mut self,
        chunks: Vec<Bytes>,
        length: usize,
        sink: &Sink<B>,
    ) -> RecordOutcome {
        if self
            .length
            .is_some_and(|declared| declared != length as u64)
        {
            self.release();
            return RecordOutcome::NotStored(INCOMPLETE);
        }
        sink.set_complete();
        let response = StoredResponse::received(
            self.miss.cache.policy(),
            self.status,
            self.headers,
            joined(chunks, length),
            self.exchange,
        );
        let (committed, response) = self.miss.store(response).await;
        RecordOutcome::Complete(committed, response)
    }
}

async fn next_frame<B: Body>(body: &mut Pin<Box<B>>) -> Option<Result<Frame<B::Data>, B::Error>> {
    std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await
}

/// Joins the chunks in an allocation of their own.
///
/// A chunk may be a small part of a large read buffer, which a stored response must not keep alive.
fn joined(chunks: Vec<Bytes>, length: usize) -> Bytes {
    let mut body = BytesMut::with_capacity(length);
    for chunk in chunks {
        body.extend_from_slice(&chunk);
    }
    body.freeze()
}
