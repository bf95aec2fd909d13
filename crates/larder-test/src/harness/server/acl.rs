//! ACL users with limited rights.

use super::quoted::Quoted;

/// An ACL user of a [`RedisServer`](super::RedisServer), with its keys and commands.
///
/// A new user may only log in.
///
/// # Examples
///
/// ```
/// use larder_test::server::{AclUser, RedisOptions};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let app = AclUser::new("app", "open sesame")
///     .with_key_prefix("prod:")
///     .with_commands("+@read +@write +ping -@dangerous");
/// let server = RedisOptions::new()
///     .with_default_user_off()
///     .with_acl_user(app)
///     .start()?;
/// println!("the app connects to {}", server.url_as("app", "open sesame"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AclUser {
    pub(super) name: String,
    password: String,
    key_prefixes: Vec<String>,
    channel_prefixes: Vec<String>,
    commands: Vec<String>,
}

impl AclUser {
    /// Makes an enabled user.
    ///
    /// The name must have neither spaces nor quotes.
    pub fn new(name: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            password: password.into(),
            key_prefixes: Vec::new(),
            channel_prefixes: Vec::new(),
            commands: Vec::new(),
        }
    }

    /// Allows the keys that start with `prefix`. Its characters are taken literally.
    #[must_use]
    pub fn with_key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.key_prefixes.push(prefix.into());
        self
    }

    /// Allows the channels that start with `prefix`. Its characters are taken literally.
    #[must_use]
    pub fn with_channel_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.channel_prefixes.push(prefix.into());
        self
    }

    /// Allows and forbids commands, as `ACL SETUSER` does: `+@read +set -keys`.
    ///
    /// A later rule overrides an earlier one: `+@write` includes FLUSHALL, and a later `-@dangerous` excludes
    /// it again.
    #[must_use]
    pub fn with_commands(mut self, rules: impl Into<String>) -> Self {
        self.commands.push(rules.into());
        self
    }

    /// Returns the rules for a line of `redis.conf`.
    pub(super) fn rules(&self) -> String {
        let mut rules = format!("on {}", Quoted(&format!(">{}", self.password)));
        let keys = self.key_prefixes.iter().map(|prefix| ('~', prefix));
        let channels = self.channel_prefixes.iter().map(|prefix| ('&', prefix));
        rules.push_str(" resetchannels");
        for (kind, prefix) in keys.chain(channels) {
            let pattern = format!("{kind}{}*", literal(prefix));
            rules.push_str(&format!(" {}", Quoted(&pattern)));
        }
        for commands in &self.commands {
            rules.push_str(&format!(" {commands}"));
        }
        rules
    }
}

/// Returns a pattern that matches only `prefix`.
fn literal(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len());
    for symbol in prefix.chars() {
        if matches!(symbol, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            pattern.push('\\');
        }
        pattern.push(symbol);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_quote_passwords_and_prefixes() {
        let user = AclUser::new("app", "a b\"")
            .with_key_prefix("p*:")
            .with_channel_prefix("p:")
            .with_commands("+get");
        let expected = r#"on ">a b\"" resetchannels "~p\\*:*" "&p:*" +get"#;
        assert_eq!(user.rules(), expected);
    }
}
