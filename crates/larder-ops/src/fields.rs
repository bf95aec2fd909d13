//! Named values as servers report them.

use std::collections::BTreeMap;

/// Why a fact is unknown, for example because the user may not run a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing(pub(crate) String);

impl Missing {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Named values, as `INFO`, `CLUSTER INFO` and `CONFIG GET` answer them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// Parses the lines `name:value` of `INFO` and `CLUSTER INFO`.
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| line.split_once(':'));
        Self::of(pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())))
    }

    /// Collects names and values.
    pub(crate) fn of(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// Returns the value of a field that every server has.
    pub(crate) fn text(&self, name: &str) -> Result<&str, Missing> {
        let found = self.find(name);
        found.ok_or_else(|| Missing::new(format!("the server does not report {name}")))
    }

    /// Returns the value of a field that not every server has.
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns the number of a field that every server has.
    pub(crate) fn number(&self, name: &str) -> Result<f64, Missing> {
        let text = self.text(name)?;
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        number.ok_or_else(|| Missing::new(format!("{name} is not a number")))
    }

    /// Returns whether the name of a field begins with `start`.
    pub(crate) fn has_any(&self, start: &str) -> bool {
        self.0.keys().any(|name| name.starts_with(start))
    }

    /// Returns the part `name=` of a field such as `calls=3,usec=17`; 0 without the field.
    pub(crate) fn count(&self, field: &str, name: &str) -> f64 {
        let part = self.find(field).and_then(|value| part(value, name));
        part.and_then(|count| count.parse().ok()).unwrap_or(0.0)
    }

    /// Iterates over the fields whose names begin with `start` and a digit.
    pub(crate) fn numbered(&self, start: &str) -> impl Iterator<Item = &str> {
        let begins = move |name: &str| {
            let rest = name.strip_prefix(start)?;
            rest.starts_with(|c: char| c.is_ascii_digit()).then_some(())
        };
        let fields = self.0.iter();
        fields.filter_map(move |(name, value)| begins(name).map(|()| value.as_str()))
    }
}

/// Returns the value of `name` in a list such as `calls=3,usec=17`.
pub(crate) fn part<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    let mut parts = list.split(',').filter_map(|part| part.split_once('='));
    parts
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_info_are_read() {
        let info = Fields::parse(
            "# Memory\r\nmaxmemory:7\r\nmaxmemory_policy:noeviction\r\n\r\n# Stats\r\n\
             cmdstat_keys:calls=3,usec=17\r\nslave0:ip=::1,lag=2\r\nslave_read_only:1\r\n",
        );
        assert_eq!(info.number("maxmemory").unwrap(), 7.0);
        assert_eq!(info.text("maxmemory_policy").unwrap(), "noeviction");
        assert!(info.number("maxmemory_policy").is_err());
        assert!(info.text("used_memory").is_err());
        assert_eq!(info.count("cmdstat_keys", "calls"), 3.0);
        assert_eq!(info.count("cmdstat_monitor", "calls"), 0.0);
        assert_eq!(info.numbered("slave").collect::<Vec<_>>(), ["ip=::1,lag=2"]);
    }
}
