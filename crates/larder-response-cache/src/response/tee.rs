use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;

use super::recording_limit::Reservation;

/// The client's end of a body that a recorder reads to store it.
///
/// The client gets each frame as it arrives, at its own pace. Frames that the recorder has read ahead
/// are buffered here. They are limited by the largest body that is stored, and by the limit on all
/// recordings together. Past that the recorder hands the body over, and the client reads on by itself.
pub(crate) struct Tee<B: Body> {
    shared: Arc<Mutex<Shared<B>>>,
    rest: Option<Pin<Box<B>>>,
    /// The length that the inner body declared, minus what was read, in bytes.
    left: Option<u64>,
}

/// The recorder's end. If it is dropped before one of its methods has ended the body, the client gets no end.
pub(crate) struct Sink<B: Body> {
    shared: Arc<Mutex<Shared<B>>>,
}

struct Shared<B: Body> {
    chunks: VecDeque<Bytes>,
    /// The length of these chunks, in bytes.
    unread: usize,
    /// For the bytes that the recorder keeps, and after its end for those that are not read yet.
    reservation: Reservation,
    is_recording: bool,
    /// Whether the recorder has the complete body, and is storing it.
    is_complete: Arc<AtomicBool>,
    trailers: Option<HeaderMap>,
    end: End<B>,
    client: Option<Waker>,
}

enum End<B: Body> {
    Open,
    Ended,
    Failed(Option<B::Error>),
    HandedOver(Option<Pin<Box<B>>>),
    /// The recorder was dropped before the end: the inner body panicked, or the recorder's runtime has ended.
    Dropped,
}

/// Makes both ends for a body with this size hint.
pub(crate) fn tee<B: Body>(hint: &SizeHint, reservation: Reservation) -> (Sink<B>, Tee<B>) {
    let shared = Arc::new(Mutex::new(Shared {
        chunks: VecDeque::new(),
        unread: 0,
        reservation,
        is_recording: true,
        is_complete: Arc::default(),
        trailers: None,
        end: End::Open,
        client: None,
    }));
    let sink = Sink {
        shared: shared.clone(),
    };
    let tee = Tee {
        shared,
        rest: None,
        left: hint.exact(),
    };
    (sink, tee)
}

impl<B: Body> Sink<B> {
    /// Reserves room for this many bytes. Returns false if there is none.
    pub(crate) fn reserve(&self, bytes: usize) -> bool {
        self.shared.lock().reservation.grow(bytes)
    }

    pub(crate) fn push(&self, chunk: Bytes) {
        self.change(|shared| {
            shared.unread += chunk.len();
            shared.chunks.push_back(chunk);
        });
    }

    /// Records that the complete body has arrived, and is about to be stored.
    pub(crate) fn set_complete(&self) {
        self.shared
            .lock()
            .is_complete
            .store(true, Ordering::Relaxed);
    }

    pub(crate) fn push_trailers(&self, trailers: HeaderMap) {
        self.change(|shared| shared.trailers = Some(trailers));
    }

    /// Ends the body after the frames so far.
    pub(crate) fn end(self) {
        self.change(|shared| shared.end = End::Ended);
    }

    pub(crate) fn fail(self, error: B::Error) {
        self.change(|shared| shared.end = End::Failed(Some(error)));
    }

    /// Leaves the rest of the body to the client.
    pub(crate) fn hand_over(self, body: Pin<Box<B>>) {
        self.change(|shared| shared.end = End::HandedOver(Some(body)));
    }

    fn change(&self, change: impl FnOnce(&mut Shared<B>)) {
        let client = {
            let mut shared = self.shared.lock();
            change(&mut shared);
            shared.client.take()
        };
        if let Some(client) = client {
            client.wake();
        }
    }
}

impl<B: Body> Drop for Sink<B> {
    fn drop(&mut self) {
        self.change(|shared| {
            shared.is_recording = false;
            shared.shrink_reservation();
            if matches!(shared.end, End::Open) {
                shared.end = End::Dropped;
            }
        });
    }
}

impl<B: Body> Shared<B> {
    /// Gives back the part of the reservation that is no longer used.
    fn shrink_reservation(&mut self) {
        if !self.is_recording {
            self.reservation.shrink_to(self.unread);
        }
    }
}

impl<B: Body> Tee<B> {
    /// Returns a flag that shows whether the recorder has the complete body.
    pub(crate) fn is_complete(&self) -> Arc<AtomicBool> {
        self.shared.lock().is_complete.clone()
    }

    /// Takes the reservation for this body.
    pub(crate) fn take_reservation(&self) -> Reservation {
        self.shared.lock().reservation.split()
    }
}

impl<B: Body<Data = Bytes>> Tee<B> {
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if let Some(rest) = &mut self.rest {
            return rest.as_mut().poll_frame(cx);
        }
        let mut shared = self.shared.lock();
        if let Some(chunk) = shared.chunks.pop_front() {
            shared.unread -= chunk.len();
            shared.shrink_reservation();
            let read = chunk.len() as u64;
            self.left = self.left.map(|left| left.saturating_sub(read));
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match &mut shared.end {
            End::Open => {
                shared.client = Some(cx.waker().clone());
                Poll::Pending
            }
            End::Ended => Poll::Ready(shared.trailers.take().map(|it| Ok(Frame::trailers(it)))),
            End::Failed(error) => Poll::Ready(error.take().map(Err)),
            // Panics, because no error of the inner body's type can be made here. Otherwise the client would take
            // a partial body for the whole.
            End::Dropped => {
                drop(shared);
                let reason = "the task that stored the body has panicked, or its runtime has ended";
                std::panic::resume_unwind(Box::new(reason))
            }
            End::HandedOver(body) => {
                let Some(mut body) = body.take() else {
                    return Poll::Ready(None);
                };
                drop(shared);
                let polled = body.as_mut().poll_frame(cx);
                self.rest = Some(body);
                polled
            }
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        if let Some(rest) = &self.rest {
            return rest.is_end_stream();
        }
        let shared = self.shared.lock();
        shared.chunks.is_empty() && shared.trailers.is_none() && matches!(shared.end, End::Ended)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        if let Some(rest) = &self.rest {
            return rest.size_hint();
        }
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
