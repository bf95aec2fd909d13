use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a response that passed a layer: the inner service's, or the text of a refusal.
    ///
    /// It works with any inner body whose data can be made from [`Bytes`], such as axum's, tonic's, a
    /// `Full` or a `BoxBody`. It boxes and copies nothing.
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
        Inner { #[pin] body: B },
        Text { left: Bytes },
    }
}

impl<B> ResponseBody<B> {
    /// Wraps a body of the inner service.
    pub fn inner(body: B) -> Self {
        Self {
            content: Content::Inner { body },
        }
    }

    /// Makes a body that sends `text`.
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self {
            content: Content::Text { left: text.into() },
        }
    }
}

/// Makes an empty body, which layers such as tower-http's `csrf` answer with.
impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self::text(Bytes::new())
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
            Projected::Text { left } if left.is_empty() => Poll::Ready(None),
            Projected::Text { left } => {
                Poll::Ready(Some(Ok(Frame::data(std::mem::take(left).into()))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Inner { body } => body.is_end_stream(),
            Content::Text { left } => left.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Inner { body } => body.size_hint(),
            // A length in memory fits in 64 bits.
            Content::Text { left } => SizeHint::with_exact(left.len() as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Empty, Full};

    use super::*;

    #[tokio::test]
    async fn a_text_is_sent_at_once_and_its_length_is_known() {
        let body = ResponseBody::<Empty<Bytes>>::text("no");
        assert_eq!(body.size_hint().exact(), Some(2));
        assert!(!body.is_end_stream());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "no");
        let nothing = ResponseBody::<Empty<Bytes>>::default();
        assert!(nothing.is_end_stream());
    }

    #[tokio::test]
    async fn the_inner_body_passes_through() {
        let body = ResponseBody::inner(Full::new(Bytes::from_static(b"yes")));
        assert_eq!(body.size_hint().exact(), Some(3));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "yes");
    }
}
