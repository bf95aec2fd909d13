//! The text of a `redis.conf`.

use std::fmt::{self, Write as _};
use std::path::Path;

use super::options::{Mode, RedisOptions};

/// The name and the password of the user that the harness adds beside a test's own users.
pub(super) const HARNESS: &str = "larder-harness";

/// The name of the unix socket in the server's directory.
pub(super) const SOCKET: &str = "redis.sock";

/// The configuration of a server in `dir` on `port`. What the test asks for comes last, and wins.
pub(super) fn render(options: &RedisOptions, dir: &Path, port: u16) -> String {
    let mut text = format!(
        "bind 127.0.0.1\ndaemonize no\ndir {dir}\n",
        dir = Quoted(&dir.to_string_lossy()),
    );
    let mut line = |name: &str, value: fmt::Arguments<'_>| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name} {value}");
    };
    ports(options, dir, port, &mut line);
    if options.mode != Mode::Sentinel {
        let socket = dir.join(SOCKET);
        line(
            "unixsocket",
            format_args!("{}", Quoted(&socket.to_string_lossy())),
        );
        line("unixsocketperm", format_args!("700"));
        line("save", format_args!("\"\""));
        line("appendonly", format_args!("no"));
    }
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

/// The port, plain or with TLS.
fn ports(
    options: &RedisOptions,
    dir: &Path,
    port: u16,
    line: &mut dyn FnMut(&str, fmt::Arguments<'_>),
) {
    #[cfg(feature = "tls")]
    if let Some(tls) = &options.tls {
        line("tls-port", format_args!("{port}"));
        line("port", format_args!("0"));
        for (name, value) in tls.settings(dir) {
            line(name, format_args!("{}", Quoted(&value)));
        }
        return;
    }
    let _ = (options, dir);
    line("port", format_args!("{port}"));
}

/// A word as a setting takes it, whatever is in it.
pub(super) fn quoted(word: &str) -> String {
    Quoted(word).to_string()
}

/// A word in double quotes, as `redis.conf` reads it.
pub(super) struct Quoted<'a>(pub(super) &'a str);

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
