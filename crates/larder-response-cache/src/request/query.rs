use std::borrow::Cow;

use http::uri::PathAndQuery;
use http::{Request, Uri};

/// Which names of a query select a response.
///
/// The inner service sees no other: a response cannot depend on what is not in its key.
#[derive(Clone, Debug, Default)]
pub(crate) enum QueryFilter {
    /// All of them, in their order, to the byte.
    #[default]
    All,
    /// These alone, in this order.
    Only(Box<[String]>),
    /// All but these.
    Except(Box<[String]>),
}

impl QueryFilter {
    /// The path with what counts of its query.
    pub(crate) fn path<'a>(&self, path: &'a str) -> Cow<'a, str> {
        let Some((before, query)) = path.split_once('?') else {
            return Cow::Borrowed(path);
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let kept: Vec<_> = match self {
            Self::All => return Cow::Borrowed(path),
            Self::Only(names) => {
                let place = |pair: &str| names.iter().position(|known| known == name(pair));
                let mut kept: Vec<_> = pairs
                    .filter_map(|pair| Some((place(pair)?, pair)))
                    .collect();
                // Pairs of one name stay in their order.
                kept.sort_by_key(|(place, _)| *place);
                kept.into_iter().map(|(_, pair)| pair).collect()
            }
            Self::Except(names) => pairs
                .filter(|pair| !names.iter().any(|ignored| ignored == name(pair)))
                .collect(),
        };
        let mark = if kept.is_empty() { "" } else { "?" };
        Cow::Owned(format!("{before}{mark}{}", kept.join("&")))
    }

    /// Takes what does not count out of the URI that the inner service sees, and out of the one that the
    /// client asked for, where a router keeps that too.
    pub(crate) fn apply_to<B>(&self, request: &mut Request<B>) {
        self.apply(request.uri_mut());
        #[cfg(feature = "axum")]
        if let Some(original) = request
            .extensions_mut()
            .get_mut::<axum::extract::OriginalUri>()
        {
            self.apply(&mut original.0);
        }
    }

    /// Takes what does not count out of a URI.
    pub(crate) fn apply(&self, uri: &mut Uri) {
        if matches!(self, Self::All) {
            return;
        }
        let Some(whole) = uri.path_and_query().filter(|it| it.query().is_some()) else {
            return;
        };
        // A part of what was a path and query is one.
        let Ok(path) = PathAndQuery::try_from(self.path(whole.as_str()).as_bytes()) else {
            return;
        };
        let mut parts = std::mem::take(uri).into_parts();
        parts.path_and_query = Some(path);
        *uri = Uri::from_parts(parts).unwrap_or_default();
    }
}

/// The name of a pair, as it is written.
fn name(pair: &str) -> &str {
    pair.split('=').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(names: &[&str]) -> Box<[String]> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn only_the_names_that_count_are_kept_in_one_order() {
        let only = QueryFilter::Only(names(&["page", "genre"]));
        for (path, kept) in [
            ("/f", "/f"),
            ("/f?", "/f"),
            ("/f?utm=1", "/f"),
            ("/f?genre=b&page=2&genre=a", "/f?page=2&genre=b&genre=a"),
            ("/f?page", "/f?page"),
            ("/f?pages=1&Page=2&p%61ge=3&=4&&", "/f"),
            ("/f?a?page=1&page=2?x", "/f?page=2?x"),
        ] {
            assert_eq!(only.path(path), kept, "{path}");
        }
    }

    #[test]
    fn a_name_that_is_ignored_is_taken_out_and_the_rest_stays_in_order() {
        let except = QueryFilter::Except(names(&["utm"]));
        assert_eq!(except.path("/f?b=1&utm=x&a=2"), "/f?b=1&a=2");
        assert_eq!(except.path("/f?utm"), "/f");
        assert_eq!(QueryFilter::All.path("/f?&b&&"), "/f?&b&&");
    }

    proptest! {
        #[test]
        fn what_is_left_is_a_uri_that_stays_as_it_is(query in "[a-c=&?%/]{0,24}") {
            for rule in [QueryFilter::Only(names(&["a", "b"])), QueryFilter::Except(names(&["a"]))] {
                if let Ok(mut uri) = format!("http://a.example/f?{query}").parse::<Uri>() {
                    rule.apply(&mut uri);
                    prop_assert_eq!(uri.authority().map(|it| it.as_str()), Some("a.example"));
                    let once = uri.clone();
                    rule.apply(&mut uri);
                    prop_assert_eq!(once, uri);
                }
            }
        }
    }
}
