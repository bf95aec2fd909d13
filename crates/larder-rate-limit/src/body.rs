use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a response that went through a limit: the inner service's own, or a refusal's.
    ///
    /// Being a type of its own, it asks nothing of the inner body but that its data can be made
    /// from [`Bytes`], so it works where the body is axum's, tonic's, a `Full` or a `BoxBody`.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        content: Content<B>,
    }
}

pin_project! {
    #[project = Projected]
    #[derive(Debug)]
    enum Content<B> {
        Inner {
            #[pin]
            body: B,
        },
        Refusal {
            left: Bytes,
        },
    }
}

impl<B> ResponseBody<B> {
    pub(crate) fn inner(body: B) -> Self {
        Self {
            content: Content::Inner { body },
        }
    }

    pub(crate) fn refusal(text: Bytes) -> Self {
        Self {
            content: Content::Refusal { left: text },
        }
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body,
    B::Data: From<Bytes>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project().content.project() {
            Projected::Inner { body } => body.poll_frame(cx),
            Projected::Refusal { left } if left.has_remaining() => {
                Poll::Ready(Some(Ok(Frame::data(std::mem::take(left).into()))))
            }
            Projected::Refusal { .. } => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Inner { body } => body.is_end_stream(),
            Content::Refusal { left } => !left.has_remaining(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Inner { body } => body.size_hint(),
            // A length in memory fits in 64 bits.
            Content::Refusal { left } => SizeHint::with_exact(left.len() as u64),
        }
    }
}
