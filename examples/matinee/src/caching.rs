//! The pages that are cached for everybody: for how long, and how they are purged.
//!
//! Only pages with the headers of [`for_everybody`] are cached, as whole responses, in this process
//! and in the store. An edit purges them by tag.

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::CACHE_CONTROL;
use axum::http::uri::Scheme;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use larder::Store;
use larder::cache::Source;
use larder::response_cache::ResponseCacheLayer;

use crate::config::Transport;

/// How long this process may use a page or data that another process has purged or removed, if the message about that
/// is lost.
pub(crate) const NEAR: Duration = Duration::from_secs(5);

/// How long the data of pages is kept.
pub(crate) const DATA: Duration = Duration::from_secs(60);

/// How long a page may be shown if it could not be purged: a page is kept for `max-age` plus
/// `stale-while-revalidate`, and its data may have been cached before that.
pub(crate) const KEPT: Duration = Duration::from_secs(120);

const CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");

/// Fields that belong to one request are not stored with the page: every field that a handler or an
/// inner layer adds for one visitor must be listed here (RFC 9111, section 5.2.2.4).
const KEEP: HeaderValue = HeaderValue::from_static(
    "public, max-age=30, stale-while-revalidate=30, \
     no-cache=\"server-timing, ratelimit, ratelimit-policy\"",
);
/// A page that is made from the memory of this process may be from before an edit of another process, if the message
/// about that was lost. So it is kept no longer than that memory, [`NEAR`].
const KEEP_BRIEFLY: HeaderValue = HeaderValue::from_static(
    "public, max-age=5, no-cache=\"server-timing, ratelimit, ratelimit-policy\"",
);
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// Fixes the scheme to the one that visitors use: a request line may name any, and each would be a
/// different page.
pub(crate) fn layer(
    store: Arc<dyn Store>,
    transport: Transport,
) -> larder::Result<ResponseCacheLayer> {
    let scheme = match transport {
        Transport::Https => Scheme::HTTPS,
        Transport::PlainHttp => Scheme::HTTP,
    };
    ResponseCacheLayer::builder(store)
        .with_scheme(scheme)
        .with_near_ttl(NEAR)
        .build()
}

/// Returns the headers of a page that is the same for everybody and is purged by `tag`. `sources` are where its data
/// came from: a page that is shown because the database fails or is slow is not kept.
pub(crate) fn for_everybody(
    tag: Tag,
    sources: impl IntoIterator<Item = Source>,
) -> Option<[(HeaderName, HeaderValue); 2]> {
    let mut keep = KEEP;
    for source in sources {
        match source {
            Source::Stale => return None,
            Source::Near => keep = KEEP_BRIEFLY,
            _ => {}
        }
    }
    Some([(CACHE_CONTROL, keep), (CACHE_TAG, tag.header())])
}

/// A tag of cached pages, which is purged when their content changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    Catalogue,
    Film(i64),
}

impl Tag {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Catalogue => "catalogue".to_owned(),
            Self::Film(id) => format!("film-{id}"),
        }
    }

    fn header(self) -> HeaderValue {
        match self {
            Self::Catalogue => HeaderValue::from_static("catalogue"),
            // Its text has letters, a hyphen and digits.
            Self::Film(_) => HeaderValue::try_from(self.name())
                .unwrap_or_else(|_| HeaderValue::from_static("film")),
        }
    }
}

/// Tells browsers and proxies to revalidate each time, because their copies cannot be purged.
pub(crate) async fn ask_us_again(mut response: Response) -> Response {
    let headers = response.headers_mut();
    if headers.remove(CACHE_TAG).is_some() {
        headers.insert(CACHE_CONTROL, ASK_AGAIN);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_kept_for_as_long_as_is_said_where_it_cannot_be_purged() {
        let said = KEEP;
        let said = said.to_str().unwrap();
        let times = ["max-age=", "stale-while-revalidate="].map(|name| {
            let (_, rest) = said.split_once(name).unwrap();
            rest.split(',').next().unwrap().parse::<u64>().unwrap()
        });
        assert_eq!(DATA + Duration::from_secs(times.iter().sum()), KEPT);
        let briefly = KEEP_BRIEFLY;
        let age = format!("public, max-age={}, no-cache=", NEAR.as_secs());
        assert!(briefly.to_str().unwrap().starts_with(&age));
    }

    #[test]
    fn a_page_is_kept_for_as_long_as_the_data_that_may_be_kept_the_shortest() {
        let kept = |sources: &[Source]| {
            let headers = for_everybody(Tag::Catalogue, sources.iter().copied());
            headers.map(|[(_, keep), _]| keep)
        };
        let (near, stale) = (Source::Near, Source::Stale);
        assert_eq!(kept(&[Source::Loaded, Source::Far]), Some(KEEP));
        assert_eq!(kept(&[Source::Loaded, near]), Some(KEEP_BRIEFLY));
        assert_eq!(kept(&[near, Source::Loaded]), Some(KEEP_BRIEFLY));
        assert_eq!(kept(&[Source::Loaded, stale, near]), None);
    }

    #[test]
    fn a_tag_is_said_as_it_is_purged() {
        for (tag, name) in [(Tag::Catalogue, "catalogue"), (Tag::Film(7), "film-7")] {
            assert_eq!(
                (tag.header(), tag.name()),
                (HeaderValue::from_static(name), name.to_owned())
            );
        }
    }
}
