//! Keys that people name: a whole key, or an id.

use std::hash::Hash;

use larder::store::{IdWriter, Key, KeyId, Kind};
use larder_ops::keys::{is_of_larder, kind_of};
use larder_ops::records::id_of;
use percent_encoding::percent_decode_str;

use crate::error::{Error, Result};
use crate::target::Target;

/// Returns a key as in the namespace of the target, which is `prefix`. Other text is unchanged.
///
/// # Errors
/// If the key is in another namespace.
pub(crate) fn within<'a>(prefix: &str, text: &'a str) -> Result<&'a str> {
    if prefix.is_empty() {
        return Ok(text);
    }
    if let Some(key) = text.strip_prefix(prefix) {
        return Ok(key);
    }
    match kind_of(text).rsplit_once(':') {
        None => Ok(text),
        Some((namespace, _)) => Err(Error::usage(format!(
            "this key is in the namespace {namespace}, and --namespace is {}: leave one of them out",
            prefix.trim_end_matches(':')
        ))),
    }
}

/// Returns the name of a record in the namespace `prefix`: a whole key of one of `kinds`, or an id as it
/// is.
pub(crate) fn named<'a>(prefix: &str, text: &'a str, kinds: &[Kind]) -> Result<&'a str> {
    match Key::parse(text, kinds) {
        Ok(_) => within(prefix, text),
        Err(_) => Ok(text),
    }
}

/// Returns the common beginning of the ids of several keys, given the key of the number 0.
///
/// # Errors
/// If the name is so long that ids are hashed: then they have nothing in common.
pub(crate) fn start_of(first: &Key) -> Result<&str> {
    larder_ops::records::start_of(first).ok_or_else(|| {
        Error::usage("the name is so long that keys are hashed: only the app can name them")
    })
}

/// A key of a typed cache, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CacheKey {
    /// The namespace in the key, if it has one.
    pub(crate) namespace: Option<String>,
    pub(crate) kind: Kind,
    pub(crate) schema: u32,
    pub(crate) id: RawId,
}

/// An id as its components.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RawId(Vec<Vec<u8>>);

impl RawId {
    fn unescape<'a>(components: impl Iterator<Item = &'a str>) -> Self {
        let unescaped = components.map(|component| match component {
            "%" => Vec::new(),
            component => percent_decode_str(component).collect(),
        });
        Self(unescaped.collect())
    }
}

/// Returns the partition of a key, and the rest of its id.
///
/// None for an id that is hashed, because it is long: nobody can tell its components.
pub(crate) fn apart(key: &Key) -> Option<(&str, RawId)> {
    let partition = key.partition()?;
    let (_, rest) = id_of(key).split_once(':')?;
    let id = RawId::unescape(rest.split(':'));
    let again = Key::new(key.kind(), (partition, &id));
    (again == *key).then_some((partition, id))
}

impl KeyId for RawId {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        for component in &self.0 {
            id.bytes(component);
        }
    }
}

impl CacheKey {
    /// Parses a key, which may repeat the namespace of the target.
    pub(crate) fn of(target: &Target, text: &str) -> Result<Self> {
        Self::parse(within(&target.prefix, text)?)
    }

    /// Parses a key such as `film:{v0:7}` or `prod:app:film:{v0:7}`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let form = || {
            Error::usage(
                "a cached value is named by its key, such as film:{v0:7}; `larder scan` shows some",
            )
        };
        if !is_of_larder(text) {
            return Err(form());
        }
        let front = kind_of(text);
        let (namespace, name) = match front.rsplit_once(':') {
            Some((namespace, name)) => (Some(namespace.to_owned()), name),
            None => (None, front),
        };
        let rest = text
            .strip_prefix(front)
            .and_then(|rest| rest.strip_prefix(":{"));
        let id = rest
            .and_then(|rest| rest.strip_suffix('}'))
            .ok_or_else(form)?;
        // A command line has few keys, so little memory is leaked.
        let kind = Kind::evictable(String::leak(name.to_owned()));
        if id.contains('#') {
            return Err(Error::usage(
                "the id of this key is hashed, since it is long: only the app can name the value",
            ));
        }
        let mut components = id.split(':');
        let schema = components
            .next()
            .and_then(|first| first.strip_prefix('v')?.parse().ok());
        let schema = schema.ok_or_else(|| {
            Error::usage(
                "this is not the key of a cached value, whose id begins with the schema, such as v0 in \
                 film:{v0:7}",
            )
        })?;
        let id = RawId::unescape(components);
        // A text that is written back differently is not a key.
        let again = Key::new(kind, (format!("v{schema}"), &id));
        if id.0.is_empty() || !text.ends_with(again.as_str()) {
            return Err(form());
        }
        Ok(Self {
            namespace,
            kind,
            schema,
            id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_a_cache_is_taken_apart() {
        let key = CacheKey::parse("prod:app:film:{v7:a%3Ab:%:7}").unwrap();
        assert_eq!(key.namespace.as_deref(), Some("prod:app"));
        assert_eq!((key.kind.name(), key.schema), ("film", 7));
        assert_eq!(key.id, RawId(vec![b"a:b".to_vec(), vec![], b"7".to_vec()]));
        assert_eq!(CacheKey::parse("film:{v0:7}").unwrap().namespace, None);
    }

    #[test]
    fn a_key_may_repeat_the_namespace_of_the_target_and_name_no_other() {
        for (prefix, text, is) in [
            ("prod:app:", "prod:app:film:{v0:7}", Some("film:{v0:7}")),
            ("prod:app:", "film:{v0:7}", Some("film:{v0:7}")),
            ("prod:app:", "prod:application:film:{v0:7}", None),
            ("prod:app:", "dev:app:film:{v0:7}", None),
            ("prod:app:", "report of prod", Some("report of prod")),
            ("", "prod:app:film:{v0:7}", Some("prod:app:film:{v0:7}")),
        ] {
            assert_eq!(within(prefix, text).ok(), is, "{prefix} {text}");
        }
    }

    #[test]
    fn text_that_is_not_a_key_of_a_cache_is_an_error() {
        for text in [
            "film",
            "film:{7}",
            "film:{v0}",
            "film:{vx:7}",
            "film:{v0:7",
            "film:{v0:7}:part",
            "film:{v0:a b}",
            "film:{v0:%6}",
            "film:{v0:#AAAA}",
            "\u{1b}[2J:{v0:7}",
            "(other):{v0:7}",
            "(other):{x}",
            "prod:app:(other):{v0:7}",
            "",
        ] {
            assert!(CacheKey::parse(text).is_err(), "{text:?}");
        }
    }
}
