use std::time::Duration;

use larder_store::Result;

use super::error::invalid;
use super::login::decode;

/// The longest time that a URL may name.
const LONGEST_MS: u64 = 60_000;

/// The parameters of a URL. Each reader takes out those that it knows.
pub(super) struct Parameters<'a> {
    pairs: Vec<(&'a str, &'a str)>,
    expected: &'static str,
}

impl<'a> Parameters<'a> {
    pub(super) fn parse(query: &'a str, expected: &'static str) -> Result<Self> {
        let pairs: Vec<_> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .collect();
        let names = || pairs.iter().map(|(name, _)| name);
        if names().any(|name| names().filter(|other| *other == name).count() > 1) {
            return Err(invalid("has a duplicate parameter", expected));
        }
        Ok(Self { pairs, expected })
    }

    /// Returns the value of `name`, with its percent signs decoded.
    pub(super) fn take(&mut self, name: &str) -> Result<Option<String>> {
        let Some(at) = self.pairs.iter().position(|(other, _)| *other == name) else {
            return Ok(None);
        };
        let (_, value) = self.pairs.swap_remove(at);
        decode(value, self.expected).map(Some)
    }

    /// Returns the value of `name`, which is a time of at most a minute.
    pub(super) fn take_millis(&mut self, name: &str) -> Result<Option<Duration>> {
        let Some(value) = self.take(name)? else {
            return Ok(None);
        };
        match value.parse() {
            Ok(millis @ 1..=LONGEST_MS) => Ok(Some(Duration::from_millis(millis))),
            _ => Err(invalid(
                &format!("has a {name} that is not a whole number of milliseconds from 1 to 60000"),
                self.expected,
            )),
        }
    }

    pub(super) fn check_that_all_were_taken(&self) -> Result<()> {
        match self.pairs.is_empty() {
            true => Ok(()),
            false => Err(invalid(
                "has an unknown parameter: besides those of its form there are timeout_ms, \
                 connect_timeout_ms and protocol, and over TLS ca, cert and key",
                self.expected,
            )),
        }
    }
}
