use larder_store::is_name;

/// Returns whether a key has the form of larder's keys: `kind:{id}`, optionally in a namespace or with a
/// part.
pub fn is_of_larder(key: &str) -> bool {
    kind_of(key) != OTHER
}

/// The kind of keys that larder did not write.
const OTHER: &str = "(other)";

/// Returns the kind of a key with its namespace, such as `prod:app:film`, or `(other)`.
pub fn kind_of(key: &str) -> &str {
    match key.split_once(":{") {
        Some((front, rest)) if rest.contains('}') && front.split(':').all(is_name) => front,
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_key_is_what_stands_in_front_of_its_id() {
        for (key, kind) in [
            ("film:{v0:7}", "film"),
            ("prod:app:queue:{mail}:jobs", "prod:app:queue"),
            ("film:{7", OTHER),
            ("Film:{7}", OTHER),
            ("\u{1b}[2J:{7}", OTHER),
            ("a\nb:{7}", OTHER),
            ("{7}", OTHER),
            ("", OTHER),
        ] {
            assert_eq!(kind_of(key), kind, "{key:?}");
        }
        assert!(is_of_larder("film:{7}") && !is_of_larder("user:7"));
    }
}
