use larder_store::program::Wire;

use super::dangerous::allows_dangerous;

/// What the permissions of an ACL user allow beyond the keys of an app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Excess {
    pub(super) has_dangerous_commands: bool,
    pub(super) has_all_keys: bool,
}

impl Excess {
    /// Reads the commands and keys of the root permissions, and the selectors, which add to them.
    pub(super) fn of(commands: &str, keys: &str, selectors: &Wire) -> Self {
        let root = Self {
            has_dangerous_commands: allows_dangerous(commands),
            has_all_keys: keys.split(' ').any(is_all_keys),
        };
        let Wire::List(selectors) = selectors else {
            return root;
        };
        let selectors = selectors.iter().map(|selector| {
            let [commands, keys] = ["commands", "keys"].map(|name| text_of(selector, name));
            Self::of(&commands, &keys, &Wire::Nil)
        });
        selectors.fold(root, |all, one| Self {
            has_dangerous_commands: all.has_dangerous_commands || one.has_dangerous_commands,
            has_all_keys: all.has_all_keys || one.has_all_keys,
        })
    }
}

/// Returns the text behind a name in a list of names and values.
fn text_of(selector: &Wire, name: &str) -> String {
    let Wire::List(fields) = selector else {
        return String::new();
    };
    let mut pairs = fields.chunks_exact(2);
    let text = |field: &Wire| match field {
        Wire::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    };
    let found = pairs.find(|pair| pair.first().is_some_and(|field| text(field) == name));
    found
        .and_then(|pair| pair.last())
        .map(text)
        .unwrap_or_default()
}

/// Returns whether a pattern allows to read or write any key.
fn is_all_keys(pattern: &str) -> bool {
    let (rights, glob) = pattern.split_once('~').unwrap_or((pattern, ""));
    let is_of_keys = rights.is_empty() || rights.starts_with('%');
    let is_any = !glob.is_empty() && glob.bytes().all(|byte| byte == b'*');
    pattern == "allkeys" || is_of_keys && is_any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_may_only_be_read_or_written_are_all_keys_too() {
        for pattern in ["~*", "%R~*", "%W~*", "%RW~*", "allkeys", "~**"] {
            assert!(is_all_keys(pattern), "{pattern}");
        }
        for pattern in ["", "~", "~prod:app:*", "%R~prod:*", "~*:x", "&*"] {
            assert!(!is_all_keys(pattern), "{pattern}");
        }
    }

    #[test]
    fn selectors_count_like_the_root_permissions() {
        let bytes = |text: &'static str| Wire::Bytes(text.into());
        let selector = |commands, keys| {
            let fields = [("commands", commands), ("keys", keys), ("channels", "")];
            let fields = fields.map(|(name, value)| [bytes(name), bytes(value)]);
            Wire::List(fields.concat())
        };
        let of = |selectors| {
            let excess = Excess::of("-@all +get", "~app:*", &Wire::List(selectors));
            (excess.has_dangerous_commands, excess.has_all_keys)
        };
        let narrow = || selector("-@all +set", "%W~app:*");
        assert_eq!(of(vec![]), (false, false));
        assert_eq!(of(vec![narrow()]), (false, false));
        assert_eq!(of(vec![narrow(), selector("+@all", "~*")]), (true, true));
        assert_eq!(of(vec![selector("-@all +get", "%R~*")]), (false, true));
        assert_eq!(of(vec![Wire::Nil, bytes("x")]), (false, false));
    }
}
