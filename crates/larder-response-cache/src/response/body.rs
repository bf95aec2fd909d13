//! The bodies of responses: stored ones, those of the inner service, and those that are both.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::tee::Tee;

pin_project! {
    /// The body of a response that passed the cache.
    ///
    /// It is a stored one, in one frame and never copied; or that of the inner service, frame by
    /// frame as it comes. Its error is the inner body's.
    pub struct ResponseBody<B: Body> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B: Body> {
        Whole { bytes: Bytes },
        Through { #[pin] inner: B },
        Tee { tee: Tee<B> },
    }
}

impl<B: Body> ResponseBody<B> {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self {
            kind: Kind::Whole { bytes },
        }
    }

    pub(crate) fn through(inner: B) -> Self {
        Self {
            kind: Kind::Through { inner },
        }
    }

    pub(crate) fn tee(tee: Tee<B>) -> Self {
        Self {
            kind: Kind::Tee { tee },
        }
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
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
            KindProjection::Through { inner } => inner.poll_frame(cx),
            KindProjection::Tee { tee } => tee.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole { bytes } => bytes.is_empty(),
            Kind::Through { inner } => inner.is_end_stream(),
            Kind::Tee { tee } => tee.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole { bytes } => SizeHint::with_exact(bytes.len() as u64),
            Kind::Through { inner } => inner.size_hint(),
            Kind::Tee { tee } => tee.size_hint(),
        }
    }
}

impl<B: Body> std::fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.kind {
            Kind::Whole { .. } => "ResponseBody(stored)",
            Kind::Through { .. } => "ResponseBody(through)",
            Kind::Tee { .. } => "ResponseBody(being stored)",
        })
    }
}
