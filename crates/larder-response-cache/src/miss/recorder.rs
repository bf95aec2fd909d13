use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame};
use tokio::time::{Instant, timeout_at};

use crate::engine::{Exchange, Refusal};
use crate::miss::Miss;
use crate::response::Sink;
use crate::storage::StoredResponse;
use crate::storage::{CommitOutcome, FETCH_LIMIT};

/// How many frames are read before others get their turn.
const FRAMES_AT_ONCE: usize = 64;

/// Reads a body that may be stored, at the pace of the inner service, gives each frame to the
/// reader as it comes, and stores the whole.
///
/// The reader learns of the end after the response is stored, so that its next request finds it. Who
/// waits does not depend on how fast the reader is, or whether it is still there.
pub(crate) struct BodyRecorder {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) exchange: Exchange,
    /// What the response says of its length, in bytes.
    pub(crate) length: Option<u64>,
    pub(crate) forwarding: Miss,
}

/// What became of a body that was read to be stored.
pub(crate) enum RecordOutcome {
    /// It was read to its end.
    Complete(CommitOutcome, Arc<StoredResponse>),
    /// It is not stored, for this reason, and the reader has the rest.
    NotStored(&'static str),
}

impl BodyRecorder {
    pub(crate) async fn run<B: Body<Data = Bytes>>(
        self,
        mut body: Pin<Box<B>>,
        sink: Sink<B>,
    ) -> RecordOutcome {
        let deadline = Instant::now() + self.time_left();
        let mut chunks: Vec<Bytes> = Vec::new();
        let (mut length, mut frames) = (0, 0);
        loop {
            if body.is_end_stream() {
                return self.store(chunks, length, &sink).await;
            }
            frames += 1;
            if frames % FRAMES_AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
            let frame = match timeout_at(deadline, next(&mut body)).await {
                Err(_) => {
                    self.forwarding.give_up();
                    sink.hand_over(body);
                    return RecordOutcome::NotStored("timeout");
                }
                Ok(None) => return self.store(chunks, length, &sink).await,
                Ok(Some(Err(error))) => {
                    self.forwarding.give_up();
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
                    self.forwarding.give_up();
                    return RecordOutcome::NotStored("trailers");
                }
            };
            length += chunk.len();
            let cache = &self.forwarding.cache;
            let too_much = if length > cache.max_body {
                let now = cache.storage.now();
                self.forwarding.mark_hit_for_miss(now);
                Some(Refusal::TooLarge.as_str())
            } else if !sink.reserve(chunk.len()) {
                cache.metrics.recording_refused();
                Some("recording-limit")
            } else {
                None
            };
            if let Some(reason) = too_much {
                sink.push(chunk);
                self.forwarding.give_up();
                sink.hand_over(body);
                return RecordOutcome::NotStored(reason);
            }
            chunks.push(chunk.clone());
            if body.is_end_stream() {
                let recorded = self.store(chunks, length, &sink).await;
                sink.push(chunk);
                return recorded;
            }
            sink.push(chunk);
        }
    }

    /// For how long a body is waited for: what comes later is not stored.
    fn time_left(&self) -> Duration {
        let now = self.forwarding.cache.storage.now();
        let last = FETCH_LIMIT.saturating_sub(Duration::from_secs(1));
        last.saturating_sub(now.since(self.exchange.sent))
    }

    /// Stores the response, unless it is shorter or longer than it said.
    async fn store<B: Body>(
        self,
        chunks: Vec<Bytes>,
        length: usize,
        sink: &Sink<B>,
    ) -> RecordOutcome {
        if self.length.is_some_and(|said| said != length as u64) {
            self.forwarding.give_up();
            return RecordOutcome::NotStored(INCOMPLETE);
        }
        sink.is_whole();
        let body = joined(chunks, length);
        let entry = StoredResponse::received(
            &self.forwarding.cache.policy,
            self.status,
            self.headers,
            body,
            self.exchange,
        );
        let (committed, entry) = self.forwarding.store(entry).await;
        RecordOutcome::Complete(committed, entry)
    }
}

/// The body ended before its end (RFC 9111, 3.3).
const INCOMPLETE: &str = "incomplete";

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
