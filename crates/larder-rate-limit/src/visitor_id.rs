//! The id of a visitor, read back from its key.

use larder_store::Key;

/// Returns the id of a visitor: what is behind the name of the policy in the braces of its key, percent-decoded.
///
/// An id that is not UTF-8 stays as it is written in the key.
pub(crate) fn id_of(key: &Key) -> String {
    let text = key.as_str();
    let id = text.split_once('{').map_or(text, |(_, id)| id);
    let id = id.split_once(':').map_or(id, |(_, id)| id);
    let id = id.strip_suffix('}').unwrap_or(id);
    decoded(id).unwrap_or_else(|| id.to_owned())
}

fn decoded(id: &str) -> Option<String> {
    let parts: Option<Vec<_>> = id.split(':').map(decoded_part).collect();
    Some(parts?.join(":"))
}

fn decoded_part(part: &str) -> Option<String> {
    // An empty part is written like this.
    if part == "%" {
        return Some(String::new());
    }
    let mut runs = part.split('%');
    let mut bytes = runs.next()?.as_bytes().to_vec();
    for run in runs {
        let (digits, rest) = run.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use larder_store::KeyId;
    use larder_store::program::Record;

    use super::*;
    use crate::Usage;

    fn read_back(id: impl KeyId) -> String {
        id_of(&Key::new(Usage::KIND, ("api", id)))
    }

    #[test]
    fn an_id_is_read_back_as_it_was_given() {
        for id in [
            "acme",
            "Acme GmbH",
            "Z\u{fc}rich",
            "ab+c=",
            "100%",
            "a:b{c}",
            "",
        ] {
            assert_eq!(read_back(("own", id)), format!("own:{id}"));
            assert_eq!(read_back(id), id);
        }
        assert_eq!(read_back(("user", 42_u64)), "user:42");
    }

    #[test]
    fn a_long_id_is_its_hash() {
        let id = read_back("x".repeat(200));
        assert!(id.starts_with('#') && id.len() < 60, "{id}");
    }
}
