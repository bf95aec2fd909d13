//! The user: too few rights, too many, and a connection that others can read.

use std::net::IpAddr;

use super::super::Context;
use super::super::facts::{Facts, Need};
use super::super::report::Status;
use super::super::verdict::{Outcome, outcome, warn_if, with_fix};
use crate::fields::Missing;

/// The commands that are tried. Others are not: those inside programs, and those for clusters and replicas.
#[rustfmt::skip]
pub(in super::super) const NEEDS: &[Need] = &[
    need(&["GET", "KEY"], "reading values", true),
    need(&["SET", "KEY", "x", "PX", "1"], "writing values", true),
    need(&["DEL", "KEY"], "removing values", true),
    need(&["PEXPIRE", "KEY", "1"], "changing a TTL", true),
    need(&["PTTL", "KEY"], "reading a TTL", true),
    need(&["EVAL", "return 0", "1", "KEY"], "programs: limits, sessions, locks, queues", true),
    need(&["EVALSHA", "x", "1", "KEY"], "programs: limits, sessions, locks, queues", true),
    need(&["TIME"], "programs: limits, sessions, locks, queues", true),
    need(&["PUBLISH", "CHANNEL", "x"], "messages to other processes", false),
    need(&["SUBSCRIBE", "CHANNEL"], "messages from other processes", false),
    need(&["SCAN", "0"], "listing keys", false),
    need(&["INFO"], "listing keys", false),
    need(&["CLIENT", "INFO"], "ending hung connections at the server", false),
    need(&["CLIENT", "KILL", "ID", "1"], "ending hung connections at the server", false),
];

const fn need(command: &'static [&'static str], feature: &'static str, is_vital: bool) -> Need {
    Need {
        command,
        feature,
        is_vital,
    }
}

pub(super) fn missing(facts: &Facts, _: &Context) -> Outcome {
    if let Ok(Err(absent)) = &facts.user {
        return outcome(Status::Fail, absent.text());
    }
    let rights = facts.rights.as_ref().map_err(Clone::clone)?;
    let missing: Vec<_> = rights.iter().filter(|right| !right.is_granted).collect();
    if missing.is_empty() {
        return outcome(Status::Ok, "every command that was tried");
    }
    let named = missing.iter().map(|right| {
        let words = match right.need.command {
            ["CLIENT", subcommand, ..] => format!("CLIENT {subcommand}"),
            [command, ..] => (*command).to_owned(),
            [] => String::new(),
        };
        format!("{words} ({})", right.need.feature)
    });
    let seen = format!("may not run {}", named.collect::<Vec<_>>().join(", "));
    let status = match missing.iter().any(|right| right.need.is_vital) {
        true => Status::Fail,
        false => Status::Warn,
    };
    outcome(status, seen)
}

pub(super) fn too_many(facts: &Facts, _: &Context) -> Outcome {
    let user = facts.user.as_ref().map_err(Clone::clone)?;
    let user = user
        .as_ref()
        .map_err(|absent| Missing::new(absent.text()))?;
    let name = &user.name;
    if user.needs_no_password && is_far(facts) {
        let seen = format!("'{name}' needs no password, and the server is on another machine");
        return with_fix(Status::Fail, seen, fix_for_no_password(name));
    }
    let excess = user.excess;
    let too_many = match (excess.has_dangerous_commands, excess.has_all_keys) {
        (true, true) => "dangerous commands, and every key",
        (true, false) => "dangerous commands",
        (false, true) => "every key",
        (false, false) => return outcome(Status::Ok, format!("'{name}' is restricted")),
    };
    outcome(Status::Warn, format!("'{name}' may use {too_many}"))
}

fn fix_for_no_password(user: &str) -> &'static str {
    match user {
        "default" => {
            "make a user for the app as in the section 'A user for the app', then ACL SETUSER default off"
        }
        _ => {
            "ACL SETUSER NAME resetpass >PASSWORD with the name of this user, and put the password into the URL"
        }
    }
}

pub(super) fn encryption(facts: &Facts, _: &Context) -> Outcome {
    let scheme = facts.server.split(':').next().unwrap_or_default();
    if scheme.starts_with("rediss") || scheme.starts_with("valkeys") {
        return outcome(Status::Ok, "TLS");
    }
    if scheme.contains("unix") {
        return outcome(Status::Ok, "a Unix socket");
    }
    if facts.addresses.is_empty() {
        return Err(Missing::new("the address of the host is not known"));
    }
    if facts.addresses.iter().all(is_here) {
        return outcome(Status::Ok, "plain, on this machine");
    }
    match facts.addresses.iter().all(is_private) {
        true => outcome(warn_if(true), "plain, to a private address"),
        false => outcome(Status::Fail, "plain, to a public address"),
    }
}

pub(super) fn certificate(facts: &Facts, _: &Context) -> Outcome {
    let Some(days) = &facts.certificate else {
        return Ok(None);
    };
    let days = *days.as_ref().map_err(Clone::clone)?;
    let status = match days < 7.0 {
        true => Status::Fail,
        false => warn_if(days < 30.0),
    };
    outcome(status, format!("it is valid for {:.0} days", days.floor()))
}

fn is_far(facts: &Facts) -> bool {
    !facts.addresses.iter().all(is_here)
}

fn is_here(address: &IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn is_private(address: &IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::facts::User;
    use super::super::super::permissions::Excess;
    use super::super::tests::{ALL, find, healthy, is, rights};
    use super::*;

    #[test]
    fn a_missing_right_names_the_lost_feature() {
        let without = |denied: &[&str]| Facts {
            rights: Ok(rights(denied)),
            ..healthy()
        };
        let soft = without(&["CLIENT KILL ID 1"]);
        is("L032", &soft, &ALL, Status::Warn);
        let seen = find("L032").judge(&soft, &ALL).unwrap().seen;
        assert_eq!(
            seen,
            "may not run CLIENT KILL (ending hung connections at the server)"
        );
        is("L032", &without(&["SET KEY x PX 1"]), &ALL, Status::Fail);
    }

    #[test]
    fn a_user_with_too_many_rights_is_a_warning() {
        let of = |user: User, address: &str| Facts {
            user: Ok(Ok(user)),
            addresses: vec![address.parse().unwrap()],
            ..healthy()
        };
        let all = User {
            name: "default".to_owned(),
            excess: Excess {
                has_dangerous_commands: true,
                has_all_keys: true,
            },
            needs_no_password: true,
        };
        is("L033", &of(all.clone(), "127.0.0.1"), &ALL, Status::Warn);
        is("L033", &of(all.clone(), "10.0.0.7"), &ALL, Status::Fail);
        let narrow = User {
            excess: Excess::default(),
            ..all.clone()
        };
        for (has_dangerous_commands, has_all_keys) in [(true, false), (false, true)] {
            let excess = Excess {
                has_dangerous_commands,
                has_all_keys,
            };
            let user = User {
                excess,
                ..all.clone()
            };
            is("L033", &of(user, "127.0.0.1"), &ALL, Status::Warn);
        }
        is("L033", &of(narrow, "::1"), &ALL, Status::Ok);
    }

    #[test]
    fn a_user_without_a_password_is_told_what_to_do_by_name() {
        for (name, fix) in [("default", "default off"), ("app", "resetpass")] {
            let user = User {
                name: name.to_owned(),
                needs_no_password: true,
                ..User::default()
            };
            let facts = Facts {
                user: Ok(Ok(user)),
                addresses: vec!["10.0.0.7".parse().unwrap()],
                ..healthy()
            };
            let found = find("L033").judge(&facts, &ALL).unwrap();
            assert_eq!(found.status, Status::Fail);
            assert!(found.fix.contains(fix), "{}", found.fix);
        }
    }

    #[test]
    fn a_certificate_is_judged_by_the_time_until_its_end() {
        for (days, status) in [
            (6.9, Status::Fail),
            (29.9, Status::Warn),
            (30.0, Status::Ok),
        ] {
            let certificate = Some(Ok(days));
            let facts = Facts {
                certificate,
                ..healthy()
            };
            is("L035", &facts, &ALL, status);
        }
        let facts = Facts {
            certificate: None,
            ..healthy()
        };
        assert!(find("L035").judge(&facts, &ALL).is_none());
    }

    #[test]
    fn a_plain_connection_is_judged_by_where_it_goes() {
        for (server, address, status) in [
            ("redis://h:1", Some("127.0.0.1"), Status::Ok),
            ("redis://h:1", Some("::ffff:127.0.0.1"), Status::Ok),
            ("redis://h:1", Some("192.168.1.7"), Status::Warn),
            ("redis://h:1", Some("fd00::7"), Status::Warn),
            ("redis://h:1", Some("203.0.113.7"), Status::Fail),
            ("redis://h:1", None, Status::Unknown),
            ("rediss://h:1", Some("203.0.113.7"), Status::Ok),
            ("unix:///run/redis.sock", None, Status::Ok),
        ] {
            let facts = Facts {
                server: server.to_owned(),
                addresses: address.iter().map(|it| it.parse().unwrap()).collect(),
                ..healthy()
            };
            is("L034", &facts, &ALL, status);
        }
    }
}
