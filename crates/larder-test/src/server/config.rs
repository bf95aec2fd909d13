//! The text of a `redis.conf`.

use std::fmt::{self, Write as _};
use std::path::Path;

use super::options::RedisOptions;

/// The name and the password of the user that the harness adds beside a test's own users.
pub(super) const HARNESS: &str = "larder-harness";

/// The name of the unix socket in the server's directory.
pub(super) const SOCKET: &str = "redis.sock";

/// The configuration of a server in `dir` on `port`. What the test asks for comes last, and wins.
pub(super) fn render(options: &RedisOptions, dir: &Path, port: u16) -> String {
    let mut text = format!(
        "bind 127.0.0.1\nport {port}\ndir {dir}\nunixsocket {socket}\nunixsocketperm 700\n\
         daemonize no\nsave \"\"\nappendonly no\n",
        dir = Quoted(&dir.to_string_lossy()),
        socket = Quoted(&dir.join(SOCKET).to_string_lossy()),
    );
    let mut line = |name: &str, value: fmt::Arguments<'_>| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name} {value}");
    };
    if let Some(password) = &options.password {
        line("requirepass", format_args!("{}", Quoted(password)));
    }
    if !options.users.is_empty() {
        line("user", format_args!("{HARNESS} on >{HARNESS} ~* &* +@all"));
    }
    for (name, rules) in &options.users {
        line("user", format_args!("{name} {rules}"));
    }
    for (name, value) in &options.settings {
        line(name, format_args!("{value}"));
    }
    text
}

/// A word in double quotes, as `redis.conf` reads it.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for byte in self.0.bytes() {
            match byte {
                b'"' | b'\\' => write!(f, "\\{}", char::from(byte))?,
                b' '..=b'~' => f.write_char(char::from(byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_cannot_add_a_line() {
        let options = RedisOptions::new().with_password("a \"b\\\nport 1");
        let text = render(&options, Path::new("/tmp"), 7000);
        assert!(
            text.ends_with("requirepass \"a \\\"b\\\\\\x0aport 1\"\n"),
            "{text}"
        );
    }

    #[test]
    fn what_the_test_asks_for_comes_last() {
        let options = RedisOptions::new().with_setting("save", "60 1");
        assert!(render(&options, Path::new("/tmp"), 7000).ends_with("\nsave 60 1\n"));
    }
}
