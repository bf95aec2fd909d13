//! The header `Clear-Site-Data`, which a sign-out may send.

use http::HeaderValue;

/// A kind of data that browsers remove for `Clear-Site-Data` (W3C Clear Site Data, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SiteData {
    /// The browser's HTTP cache of this origin, so that the back button shows no page of the user.
    Cache,
    /// All cookies of the registrable domain, including those of its other hosts.
    Cookies,
    /// Local storage, IndexedDB, service workers and the like of this origin.
    Storage,
}

impl SiteData {
    const fn directive(self) -> &'static str {
        match self {
            Self::Cache => "\"cache\"",
            Self::Cookies => "\"cookies\"",
            Self::Storage => "\"storage\"",
        }
    }
}

/// The header that responses to a sign-out carry.
#[derive(Clone, Debug)]
pub(crate) struct ClearSiteData {
    whole: HeaderValue,
    /// Without cookies, for a response that sets one. None if nothing is left.
    but_cookies: Option<HeaderValue>,
}

impl ClearSiteData {
    /// Returns None if `data` is empty.
    pub(crate) fn new(data: impl IntoIterator<Item = SiteData>) -> Option<Self> {
        let data: Vec<_> = data.into_iter().collect();
        let but_cookies = data.iter().filter(|it| **it != SiteData::Cookies);
        Some(Self {
            whole: value(data.iter())?,
            but_cookies: value(but_cookies),
        })
    }

    pub(crate) fn value(&self, sets_cookie: bool) -> Option<&HeaderValue> {
        if sets_cookie {
            self.but_cookies.as_ref()
        } else {
            Some(&self.whole)
        }
    }
}

fn value<'a>(data: impl Iterator<Item = &'a SiteData>) -> Option<HeaderValue> {
    let mut directives = Vec::new();
    for directive in data.map(|it| it.directive()) {
        if !directives.contains(&directive) {
            directives.push(directive);
        }
    }
    if directives.is_empty() {
        return None;
    }
    // Quoted words of ASCII letters are a valid value.
    HeaderValue::try_from(directives.join(", ")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_data_is_named_once_and_no_cookie_that_is_set_is_removed() {
        use SiteData::{Cache, Cookies, Storage};
        assert!(ClearSiteData::new([]).is_none());
        let some = ClearSiteData::new([Cache, Cookies, Storage, Cache]).unwrap();
        assert_eq!(
            some.value(false).unwrap(),
            "\"cache\", \"cookies\", \"storage\""
        );
        assert_eq!(some.value(true).unwrap(), "\"cache\", \"storage\"");
        let cookies = ClearSiteData::new([Cookies]).unwrap();
        assert!(cookies.value(true).is_none());
    }
}
