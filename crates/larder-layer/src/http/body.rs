use std::any::Any;
use std::fmt;
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
    pub struct ResponseBody<B> {
        #[pin]
        content: Content<B>,
        held: Option<Box<dyn Any + Send + Sync>>,
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
            held: None,
        }
    }

    /// Keeps `held` until the body has ended, even with an error, or is dropped.
    #[must_use]
    pub fn holding(mut self, held: impl Any + Send + Sync) -> Self {
        self.held = Some(Box::new(held));
        self
    }

    /// Makes a body that sends `text`.
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self {
            content: Content::Text { left: text.into() },
            held: None,
        }
    }
}

/// Makes an empty body, with which layers such as tower-http's `csrf` answer.
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
        let this = self.project();
        match this.content.project() {
            Projected::Inner { body } => {
                let frame = body.poll_frame(cx);
                if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
                    this.held.take();
                }
                frame
            }
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

impl<B: fmt::Debug> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody")
            .field("content", &self.content)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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
    async fn what_a_body_holds_is_dropped_at_its_end_or_with_it() {
        let guard = Arc::new(());
        let held = || {
            let body = ResponseBody::inner(Full::new(Bytes::from_static(b"yes")));
            body.holding(guard.clone())
        };
        let mut body = held();
        assert!(body.frame().await.is_some());
        assert_eq!(Arc::strong_count(&guard), 2);
        assert!(body.frame().await.is_none());
        assert_eq!(Arc::strong_count(&guard), 1, "it has ended");
        drop(held());
        assert_eq!(Arc::strong_count(&guard), 1, "it was dropped");
    }

    #[tokio::test]
    async fn the_inner_body_passes_through() {
        let body = ResponseBody::inner(Full::new(Bytes::from_static(b"yes")));
        assert_eq!(body.size_hint().exact(), Some(3));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "yes");
    }
}
