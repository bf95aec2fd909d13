use http::{Request, Version};
use http_body::Body;

/// The framing of a request's content, by its headers (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is no such header. Over HTTP/1 the request has no content.
    #[default]
    None,
    /// `Content-Length: 0`.
    Empty,
    /// There is content, or may be.
    Content,
}

/// Returns whether a request has content, or may have.
///
/// Headers take precedence over the body. An outer layer may have wrapped the body, so that it no
/// longer knows that it has ended. HTTP/2 needs no header, so there the body decides.
pub(super) fn has_content<B: Body>(request: &Request<B>, framing: Framing) -> bool {
    let (body, hint) = (request.body(), request.body().size_hint());
    if hint.lower() > 0 {
        return true;
    }
    let needs_header = request.version() <= Version::HTTP_11;
    match framing {
        Framing::Content => true,
        Framing::Empty => false,
        Framing::None => !(needs_header || body.is_end_stream() || hint.upper() == Some(0)),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::combinators::UnsyncBoxBody;
    use http_body_util::{BodyExt, Empty, Full, StreamBody};

    use super::*;

    type Wrapped = UnsyncBoxBody<Bytes, std::convert::Infallible>;

    /// A body that does not know its end, such as one that a layer has wrapped.
    fn silent() -> Wrapped {
        StreamBody::new(futures_util::stream::empty()).boxed_unsync()
    }

    fn has(version: Version, framing: Framing, body: Wrapped) -> bool {
        let mut request = Request::new(body);
        *request.version_mut() = version;
        has_content(&request, framing)
    }

    #[test]
    fn over_http_1_no_framing_header_means_no_content_whatever_the_body_says() {
        for version in [Version::HTTP_10, Version::HTTP_11] {
            assert!(!has(version, Framing::None, silent()));
        }
    }

    #[test]
    fn over_http_2_a_body_that_does_not_know_its_end_may_have_content() {
        assert!(has(Version::HTTP_2, Framing::None, silent()));
        assert!(!has(Version::HTTP_2, Framing::Empty, silent()));
        assert!(!has(
            Version::HTTP_2,
            Framing::None,
            Empty::new().boxed_unsync()
        ));
    }

    #[test]
    fn content_that_is_there_counts_whatever_the_headers_say() {
        for framing in [Framing::None, Framing::Empty, Framing::Content] {
            let fat = Full::new(Bytes::from_static(b"fat")).boxed_unsync();
            assert!(has(Version::HTTP_11, framing, fat));
        }
        assert!(has(Version::HTTP_11, Framing::Content, silent()));
    }
}
