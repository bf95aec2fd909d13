use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;

use crate::response::Reservation;

/// The reader's end of a body that a task reads to store it.
///
/// The reader gets each frame as it comes, at its own pace. What the task is ahead of it is held
/// here, at most as much as may be stored, and as all that are being stored may hold together; past
/// that the task hands the body over, and the reader reads on by itself.
pub(crate) struct Tee<B: Body> {
    shared: Arc<Mutex<Shared<B>>>,
    rest: Option<Pin<Box<B>>>,
    /// What the inner body said of its length, less what was read.
    left: Option<u64>,
}

/// The task's end. Dropping it ends the body.
pub(crate) struct Sink<B: Body> {
    shared: Arc<Mutex<Shared<B>>>,
}

struct Shared<B: Body> {
    chunks: VecDeque<Bytes>,
    /// The bytes of these chunks.
    unread: usize,
    /// Of the bytes that the task keeps, and after it has ended of those that are not read yet.
    reservation: Reservation,
    is_recording: bool,
    /// Whether the task has the whole body, and stores it.
    is_whole: Arc<AtomicBool>,
    trailers: Option<HeaderMap>,
    end: End<B>,
    reader: Option<Waker>,
}

enum End<B: Body> {
    Ahead,
    Over,
    Failed(Option<B::Error>),
    HandedOver(Option<Pin<Box<B>>>),
}

/// Both ends for a body with this hint of its size.
pub(crate) fn tee<B: Body>(hint: &SizeHint, reservation: Reservation) -> (Sink<B>, Tee<B>) {
    let shared = Arc::new(Mutex::new(Shared {
        chunks: VecDeque::new(),
        unread: 0,
        reservation,
        is_recording: true,
        is_whole: Arc::default(),
        trailers: None,
        end: End::Ahead,
        reader: None,
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
    /// Whether so many bytes more may be held.
    pub(crate) fn reserve(&self, bytes: usize) -> bool {
        self.shared.lock().reservation.grow(bytes)
    }

    pub(crate) fn push(&self, chunk: Bytes) {
        self.change(|shared| {
            shared.unread += chunk.len();
            shared.chunks.push_back(chunk);
        });
    }

    /// Says that the whole body is here, and is about to be stored.
    pub(crate) fn is_whole(&self) {
        self.shared.lock().is_whole.store(true, Ordering::Relaxed);
    }

    pub(crate) fn push_trailers(&self, trailers: HeaderMap) {
        self.change(|shared| shared.trailers = Some(trailers));
    }

    pub(crate) fn fail(self, error: B::Error) {
        self.change(|shared| shared.end = End::Failed(Some(error)));
    }

    /// Leaves the rest of the body to the reader.
    pub(crate) fn hand_over(self, body: Pin<Box<B>>) {
        self.change(|shared| shared.end = End::HandedOver(Some(body)));
    }

    fn change(&self, change: impl FnOnce(&mut Shared<B>)) {
        let reader = {
            let mut shared = self.shared.lock();
            change(&mut shared);
            shared.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl<B: Body> Drop for Sink<B> {
    fn drop(&mut self) {
        self.change(|shared| {
            shared.is_recording = false;
            shared.settle();
            if matches!(shared.end, End::Ahead) {
                shared.end = End::Over;
            }
        });
    }
}

impl<B: Body> Shared<B> {
    /// Gives back what is held for nobody any longer.
    fn settle(&mut self) {
        if !self.is_recording {
            self.reservation.shrink_to(self.unread);
        }
    }
}

impl<B: Body> Tee<B> {
    /// Shows whether the task has the whole body, and stores it.
    pub(crate) fn is_whole(&self) -> Arc<AtomicBool> {
        self.shared.lock().is_whole.clone()
    }

    /// Takes over what is reserved for this body.
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
            shared.settle();
            let read = chunk.len() as u64;
            self.left = self.left.map(|left| left.saturating_sub(read));
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match &mut shared.end {
            End::Ahead => {
                shared.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            End::Over => Poll::Ready(shared.trailers.take().map(|it| Ok(Frame::trailers(it)))),
            End::Failed(error) => Poll::Ready(error.take().map(Err)),
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
        shared.chunks.is_empty() && shared.trailers.is_none() && matches!(shared.end, End::Over)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        if let Some(rest) = &self.rest {
            return rest.size_hint();
        }
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
