use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::tee::Tee;

pin_project! {
    /// The body of a response: a stored body, or the inner service's.
    ///
    /// A stored body is one frame, and never copied. The inner service's comes frame by frame, even while
    /// it is being stored. The error type is the inner body's.
    pub struct ResponseCacheBody<B: Body> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B: Body> {
        Whole { bytes: Bytes },
        Inner { #[pin] inner: B },
        Tee { tee: Tee<B> },
    }
}

impl<B: Body> ResponseCacheBody<B> {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self {
            kind: Kind::Whole { bytes },
        }
    }

    pub(crate) fn inner(inner: B) -> Self {
        Self {
            kind: Kind::Inner { inner },
        }
    }

    pub(crate) fn tee(tee: Tee<B>) -> Self {
        Self {
            kind: Kind::Tee { tee },
        }
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseCacheBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProjection::Whole { bytes } if bytes.is_empty() => Poll::Ready(None),
            KindProjection::Whole { bytes } => {
                Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes)))))
            }
            KindProjection::Inner { inner } => inner.poll_frame(cx),
            KindProjection::Tee { tee } => tee.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole { bytes } => bytes.is_empty(),
            Kind::Inner { inner } => inner.is_end_stream(),
            Kind::Tee { tee } => tee.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole { bytes } => SizeHint::with_exact(bytes.len() as u64),
            Kind::Inner { inner } => inner.size_hint(),
            Kind::Tee { tee } => tee.size_hint(),
        }
    }
}

impl<B: Body> std::fmt::Debug for ResponseCacheBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.kind {
            Kind::Whole { .. } => "ResponseCacheBody(stored)",
            Kind::Inner { .. } => "ResponseCacheBody(inner)",
            Kind::Tee { .. } => "ResponseCacheBody(being stored)",
        })
    }
}
