//! The query of a catalogue page.

use serde::{Deserialize, Serialize};

use crate::db::fold;
use crate::errors::Problem;

pub(crate) const PAGE_SIZE: u32 = 24;

const MAX_TEXT: usize = 200;
const MAX_WORDS: usize = 16;
/// Far more pages than there will ever be; this bounds the offset of a query.
const MAX_PAGE: u32 = 100_000;

/// The query string as received.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct RawQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    genre: String,
    #[serde(default)]
    page: String,
}

/// A page of the catalogue in canonical form: searches with the same results are equal, and share one
/// cache entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct CatalogueQuery {
    /// Folded.
    search: String,
    genre: Option<String>,
    page: u32,
}

/// The first page of all films.
impl Default for CatalogueQuery {
    fn default() -> Self {
        Self {
            search: String::new(),
            genre: None,
            page: 1,
        }
    }
}

impl CatalogueQuery {
    /// Returns the words that a film must contain.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.search
            .split(' ')
            .filter(|word| !word.is_empty())
            .take(MAX_WORDS)
    }

    /// Returns the folded search text.
    pub(crate) fn search(&self) -> &str {
        &self.search
    }

    pub(crate) fn genre(&self) -> Option<&str> {
        self.genre.as_deref()
    }

    /// Returns the number of the page, from 1.
    pub(crate) fn page(&self) -> u32 {
        self.page
    }
}

impl RawQuery {
    /// Returns the text that the visitor typed, as one line.
    pub(crate) fn typed(&self) -> String {
        let typed = self.q.split(|c: char| c.is_whitespace() || c.is_control());
        typed
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Parses the query, or returns an error to show to the visitor.
    pub(crate) fn parse(&self) -> Result<CatalogueQuery, Problem> {
        for (name, text) in [("search", &self.q), ("genre", &self.genre)] {
            if text.chars().count() > MAX_TEXT {
                return Err(Problem::bad_request(format!(
                    "A {name} may have at most {MAX_TEXT} characters."
                )));
            }
        }
        let page = match self.page.trim() {
            "" => 1,
            page => page
                .parse()
                .ok()
                .filter(|page| (1..=MAX_PAGE).contains(page))
                .ok_or_else(|| Problem::bad_request("The page must be a number, 1 or higher."))?,
        };
        let genre = self.genre.trim();
        let genre = (!genre.is_empty()).then(|| genre.to_owned());
        Ok(CatalogueQuery {
            search: fold(&self.q),
            genre,
            page,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(q: &str, page: &str) -> RawQuery {
        RawQuery {
            q: q.to_owned(),
            page: page.to_owned(),
            ..RawQuery::default()
        }
    }

    #[test]
    fn searches_that_find_the_same_are_equal() {
        let query = |q| raw(q, "").parse().unwrap();
        assert_eq!(query("Léon  the\tPro "), query("leon THE pro"));
        assert_ne!(query("leon"), query("noel"));
    }

    #[test]
    fn a_missing_page_is_the_first_and_garbage_is_refused() {
        for (page, expected) in [("", 1), ("1", 1), (" 7 ", 7), ("100000", 100_000)] {
            assert_eq!(raw("", page).parse().unwrap().page(), expected);
        }
        for page in [
            "0",
            "-1",
            "1.5",
            "x",
            "100001",
            "99999999999999999999",
            "1;DROP",
            "\0",
            "١",
        ] {
            assert!(raw("", page).parse().is_err(), "{page:?}");
        }
    }

    #[test]
    fn a_search_is_bounded_in_length_and_in_words() {
        assert!(raw(&"é".repeat(200), "").parse().is_ok());
        assert!(raw(&"x".repeat(201), "").parse().is_err());
        assert_eq!(
            raw(&"a ".repeat(100), "").parse().unwrap().words().count(),
            16
        );
    }

    #[test]
    fn what_was_typed_is_shown_on_one_line() {
        assert_eq!(
            raw(" The\0 \u{1b}Matrix\r\n<b> ", "").typed(),
            "The Matrix <b>"
        );
    }
}
