//! The text of a `redis.conf`.

use std::fmt::{self, Write as _};
use std::path::Path;

use super::options::{HARNESS, Mode, RedisOptions};
use super::quoted::Quoted;

/// The name of the unix socket in the server's directory.
pub(super) const SOCKET: &str = "redis.sock";

/// Returns the configuration of a server in `dir` on `port`.
///
/// The settings of the test come last, so that they override the others.
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

/// Writes the settings of the port, with or without TLS.
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
    fn the_settings_of_the_test_come_last() {
        let options = RedisOptions::new().with_setting("save", "60 1");
        assert!(render(&options, Path::new("/tmp"), 7000).ends_with("\nsave 60 1\n"));
    }
}
