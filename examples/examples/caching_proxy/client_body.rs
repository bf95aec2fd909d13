//! Forwards a request's body to the origin, and tells the client's errors from the origin's.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

/// The body of a client's request.
pub(crate) struct ClientBody {
    body: Incoming,
    progress: Progress,
}

/// A flag that is set while the proxy waits for the client.
#[derive(Clone, Default)]
pub(crate) struct Progress(Arc<AtomicBool>);

/// The client sent a malformed body, or stopped in the middle.
#[derive(Debug)]
pub(crate) struct ClientError(hyper::Error);

/// The client did not send its body in time.
#[derive(Debug)]
pub(crate) struct TooSlow;

impl ClientBody {
    pub(crate) fn new(body: Incoming) -> (Self, Progress) {
        let progress = Progress::default();
        let body = Self {
            body,
            progress: progress.clone(),
        };
        (body, progress)
    }
}

impl Progress {
    pub(crate) fn is_awaited(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = ClientError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.progress.0.store(frame.is_pending(), Ordering::Relaxed);
        frame.map_err(ClientError)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl ClientError {
    /// Returns whether this error caused a failure.
    pub(crate) fn caused(error: &(dyn Error + Send + Sync + 'static)) -> bool {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if error.is::<Self>() {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client sent no whole body")
    }
}

impl Error for ClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client did not send its body in time")
    }
}

impl Error for TooSlow {}
