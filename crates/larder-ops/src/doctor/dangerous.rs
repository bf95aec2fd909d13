//! The commands that no app needs, as the rules of an ACL user grant them.

use std::collections::BTreeSet;

/// The commands for administrators that rule the server, its users or its data. The first stands for all others of
/// their category.
#[rustfmt::skip]
const ADMIN: &[&str] = &[
    "@admin", "acl", "bgrewriteaof", "bgsave", "cluster", "config", "debug", "failover", "module",
    "monitor", "psync", "replicaof", "save", "shutdown", "slaveof", "sync",
];

/// The commands that reach data whatever the keys of a user are, or replace it as a whole.
///
/// Redis counts them as dangerous, beside those for administrators. Redis 7.0 names them one by one in place of
/// `-@dangerous`.
const DATA: &[&str] = &[
    "flushall",
    "flushdb",
    "migrate",
    "restore",
    "restore-asking",
];

/// The same, and fast.
const SWAP: &[&str] = &["swapdb"];

/// It shows the names of all keys, and blocks the server meanwhile.
const KEYS: &[&str] = &["keys"];

/// The subcommands of commands for administrators that only read.
#[rustfmt::skip]
const READING: &[&str] = &[
    "cat", "count-failure-reports", "countkeysinslot", "dryrun", "genpass", "get", "getkeysinslot",
    "getuser", "help", "info", "keyslot", "links", "list", "log", "myid", "myshardid", "nodes",
    "replicas", "shards", "slaves", "slots", "users", "whoami",
];

/// Returns the commands of a category that are counted as dangerous.
fn category(name: &str) -> &'static [&'static [&'static str]] {
    match name {
        "@all" | "@dangerous" => &[ADMIN, DATA, SWAP, KEYS],
        "@admin" => &[ADMIN],
        "@slow" => &[ADMIN, DATA, KEYS],
        "@keyspace" => &[DATA, SWAP, KEYS],
        "@write" => &[DATA, SWAP],
        "@read" => &[KEYS],
        "@fast" => &[SWAP],
        _ => &[],
    }
}

/// Returns whether rules leave commands for administrators or dangerous ones to a user. A later rule overrides
/// an earlier one.
pub(super) fn allows_dangerous(rules: &str) -> bool {
    let mut granted = BTreeSet::new();
    let all = category("@all").concat();
    for rule in rules.split(' ') {
        let rule = rule.to_ascii_lowercase();
        let (is_grant, what) = match rule.as_str() {
            "allcommands" => (true, "@all"),
            "nocommands" => (false, "@all"),
            rule => match rule.split_at_checked(1) {
                Some(("+", what)) => (true, what),
                Some(("-", what)) => (false, what),
                _ => continue,
            },
        };
        let (name, subcommand) = what.split_once('|').unwrap_or((what, ""));
        let named = match what.starts_with('@') {
            true => category(what).concat(),
            false => all.iter().copied().filter(|it| *it == name).collect(),
        };
        for name in named {
            match (is_grant, subcommand) {
                (true, subcommand) if READING.contains(&subcommand) => {}
                (true, _) => {
                    granted.insert((name, subcommand.to_owned()));
                }
                (false, "") => granted.retain(|(granted, _)| *granted != name),
                (false, _) => {
                    granted.remove(&(name, subcommand.to_owned()));
                }
            }
        }
    }
    !granted.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_all_commands_are_too_many_unless_the_dangerous_ones_are_taken_away_afterwards() {
        for (rules, is_dangerous) in [
            ("+@all", true),
            ("+@all -debug", true),
            ("allcommands -debug", true),
            ("+@all -@admin", true),
            ("-@all +@read +@dangerous", true),
            ("-@all +@read +@admin", true),
            ("-@dangerous +@all", true),
            ("-@all +@read +@write", true),
            ("-@all +get +flushall", true),
            ("-@all +@slow", true),
            ("-@all +@slow -@dangerous", false),
            ("-@all +@admin -config", true),
            ("-@all +@read", true),
            ("-@all +@read -keys", false),
            ("-@all +@fast", true),
            ("-@all +get +CONFIG", true),
            ("-@all +get +config|set", true),
            ("-@all +config|set -config", false),
            ("-@all +config|set -config|set", false),
            ("-@all +config -config|set", true),
            (
                "-@all +acl|whoami +acl|dryrun +config|get +cluster|slots +role",
                false,
            ),
            ("+@all -@all +get", false),
            ("allcommands nocommands +get", false),
            ("+@all -@dangerous +info", false),
            ("-@all +@read +@write -@dangerous +info +client|info", false),
            ("-@all +get +set", false),
            ("", false),
            // What Redis 7.0 makes of `+@all -@dangerous` and of `+@read +@dangerous`.
            (
                "+@all -@admin -migrate -flushall -flushdb -sort_ro -restore -restore-asking -swapdb -sort -keys",
                false,
            ),
            ("-@all +@read +@admin +migrate +flushall +info", true),
        ] {
            assert_eq!(allows_dangerous(rules), is_dangerous, "{rules}");
        }
    }

    #[test]
    fn each_command_that_rules_a_server_is_dangerous_by_its_name() {
        for name in [
            "config",
            "acl",
            "module",
            "debug",
            "shutdown",
            "replicaof",
            "monitor",
            "keys",
        ] {
            let rules = |sign| format!("-@all +get {sign}{name}");
            assert!(allows_dangerous(&rules('+')), "{name}");
            assert!(!allows_dangerous(&rules('-')), "{name}");
        }
    }
}
