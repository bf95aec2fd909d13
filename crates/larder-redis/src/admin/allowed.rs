/// The commands that may be sent, each with its subcommand if it has one.
///
/// None of them writes, waits, or shows the value of a key.
const ALLOWED: &[(&str, Option<&str>)] = &[
    ("ACL", Some("DRYRUN")),
    ("ACL", Some("GETUSER")),
    ("ACL", Some("WHOAMI")),
    ("CLUSTER", Some("INFO")),
    ("CONFIG", Some("GET")),
    ("INFO", None),
    ("LATENCY", Some("LATEST")),
    ("MEMORY", Some("USAGE")),
    ("OBJECT", Some("FREQ")),
    ("PING", None),
    ("PTTL", None),
    ("ROLE", None),
    ("SLOWLOG", Some("GET")),
    ("TIME", None),
    ("TYPE", None),
];

/// Returns whether a command is on the list.
pub(super) fn is_allowed(command: &[&[u8]]) -> bool {
    let is = |at: usize, word: &str| {
        let given = command.get(at);
        given.is_some_and(|given| given.eq_ignore_ascii_case(word.as_bytes()))
    };
    ALLOWED
        .iter()
        .any(|(name, second)| is(0, name) && second.is_none_or(|second| is(1, second)))
}

/// Returns whether the answer to an allowed command repeats the arguments of other commands.
pub(super) fn shows_arguments(command: &[&[u8]]) -> bool {
    let name = command.first();
    name.is_some_and(|name| name.eq_ignore_ascii_case(b"SLOWLOG"))
}

/// Returns the command and its subcommand, for an error.
pub(super) fn name(command: &[&[u8]]) -> String {
    let has_subcommand = command.first().is_some_and(|name| {
        let mut with = ALLOWED.iter().filter(|(_, second)| second.is_some());
        with.any(|(allowed, _)| name.eq_ignore_ascii_case(allowed.as_bytes()))
    });
    let words = command.iter().take(if has_subcommand { 2 } else { 1 });
    let words: Vec<_> = words.map(|word| String::from_utf8_lossy(word)).collect();
    words.join(" ").to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Vec<&[u8]> {
        line.split(' ').map(str::as_bytes).collect()
    }

    #[test]
    fn commands_that_write_wait_or_show_values_are_not_allowed() {
        for line in [
            "CONFIG SET maxmemory 1",
            "CONFIG",
            "ACL SETUSER x",
            "SLOWLOG RESET",
            "CLUSTER RESET",
            "GET film:{1}",
            "DEL film:{1}",
            "KEYS *",
            "FLUSHALL",
            "EVAL return 0",
            "WAIT 1 0",
            "MEMORY PURGE",
            "MONITOR",
        ] {
            assert!(!is_allowed(&split(line)), "{line}");
        }
        for line in [
            "info all",
            "Config get timeout",
            "MEMORY USAGE film:{1}",
            "PING",
        ] {
            assert!(is_allowed(&split(line)), "{line}");
        }
        assert!(!is_allowed(&[]));
    }

    #[test]
    fn the_name_of_a_command_has_no_argument() {
        assert_eq!(name(&split("memory usage film:{1}")), "MEMORY USAGE");
        assert_eq!(name(&split("pttl film:{1}")), "PTTL");
    }
}
