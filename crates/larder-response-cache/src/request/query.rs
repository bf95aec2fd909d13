use std::borrow::Cow;

use http::uri::PathAndQuery;
use http::{Request, Uri};

/// Which parameters of a query select a response.
///
/// The inner service sees no others, so a response cannot depend on parameters outside its key.
#[derive(Clone, Debug, Default)]
pub(crate) enum QueryFilter {
    /// All of them, byte for byte.
    #[default]
    All,
    /// Only these, in this order.
    Only(Box<[String]>),
    /// All except these.
    Except(Box<[String]>),
}

impl QueryFilter {
    /// Returns the path with the query parameters that count.
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
                // Pairs of one name keep their order.
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

    /// Removes parameters that do not count from the URI of a request.
    ///
    /// A router may keep the URI that the client requested. It is changed too.
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

    /// Removes parameters that do not count from a URI.
    pub(crate) fn apply(&self, uri: &mut Uri) {
        if matches!(self, Self::All) {
            return;
        }
        let Some(whole) = uri.path_and_query().filter(|it| it.query().is_some()) else {
            return;
        };
        // A part of a valid path and query is valid, so this cannot fail.
        let Ok(path) = PathAndQuery::try_from(self.path(whole.as_str()).as_bytes()) else {
            return;
        };
        let mut parts = std::mem::take(uri).into_parts();
        parts.path_and_query = Some(path);
        *uri = Uri::from_parts(parts).unwrap_or_default();
    }
}

/// Returns the name of a pair, as written.
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
    fn only_parameters_that_count_are_kept_in_one_order() {
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
    fn an_ignored_parameter_is_removed_and_the_others_keep_their_order() {
        let except = QueryFilter::Except(names(&["utm"]));
        assert_eq!(except.path("/f?b=1&utm=x&a=2"), "/f?b=1&a=2");
        assert_eq!(except.path("/f?utm"), "/f");
        assert_eq!(QueryFilter::All.path("/f?&b&&"), "/f?&b&&");
    }

    proptest! {
        #[test]
        fn a_filtered_uri_is_valid_and_is_not_changed_by_a_second_filter(query in "[a-c=&?%/]{0,24}") {
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
