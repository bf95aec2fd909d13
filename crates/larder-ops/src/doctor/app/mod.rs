//! Checks of an app that need no server but its own store.

mod facts;
mod namespace;

use super::checks::{CheckId, page};
use super::report::{Finding, Status};

pub use facts::{AddressSource, App, GuardFailMode, Layer, Proxies};
pub use namespace::namespace_owner;

/// A check of an app.
struct AppCheck {
    id: CheckId,
    title: &'static str,
    threshold: &'static str,
    fix: &'static str,
}

const fn check(
    id: &'static str,
    title: &'static str,
    threshold: &'static str,
    fix: &'static str,
) -> AppCheck {
    AppCheck {
        id: CheckId::new(id),
        title,
        threshold,
        fix,
    }
}

/// Every check of an app, by its number.
#[rustfmt::skip]
static CHECKS: &[AppCheck] = &[
    check("A001", "a store in process for several processes", "memory:// for one process only", "set STORE_URL=redis://…"),
    check("A002", "proxies", "declared if Forwarded or X-Forwarded-For arrives", "declare the networks of your proxies to the key of the limit (docs/rate-limits.md)"),
    check("A003", "guards that fail open", "a limit that guards something is Closed or Local", "with_fail_mode(FailMode::Closed)"),
    check("A004", "secrets", "32 bytes, not all alike", "openssl rand -base64 32"),
    check("A005", "cookies", "Secure everywhere but on localhost", "leave out what makes cookies insecure, and serve HTTPS"),
    check("A006", "sessions and the response cache", "the response cache outside of sessions", "add the response cache after the session layer (docs/architecture.md)"),
    check("A007", "compression and the response cache", "compression outside of the response cache", "add compression after the response cache (docs/architecture.md)"),
    check("A008", "addresses of clients", "known to limits by address", "serve with into_make_service_with_connect_info::<SocketAddr>()"),
    check("A010", "a journal without durability", "L024 ok for write-behind, queues and event logs", "CONFIG SET appendonly yes"),
    check("A012", "versions of the store crate", "one", "cargo tree -d -i larder-store, then cargo update"),
    check("L041", "poisoned values", "none", "find who else writes to the keys, then larder cache purge"),
    check("L042", "owner of the namespace", "one app", "give each app a namespace of its own: Prefixed, or --namespace"),
];

/// The number and title of each check of an app.
pub(super) fn checks() -> impl Iterator<Item = (CheckId, &'static str)> {
    CHECKS.iter().map(|check| (check.id, check.title))
}

/// Makes the finding of a check. `id` is in the table.
fn finding(id: &str, status: Status, seen: impl Into<String>) -> Finding {
    let mut checks = CHECKS.iter();
    let check = checks.find(|check| check.id.as_str() == id);
    // The tests make every finding, so every id is in the table.
    let check = check.unwrap_or(&CHECKS[0]);
    Finding {
        id: check.id,
        title: check.title,
        server: String::new(),
        status,
        seen: seen.into(),
        threshold: check.threshold,
        fix: check.fix,
        page: page(check.id, check.title),
    }
}

/// Checks how many stored values could not be read: the sum of the metric `larder_poisoned_total`.
pub fn poisoned_values(count: u64) -> Finding {
    let status = match count {
        0 => Status::Ok,
        _ => Status::Fail,
    };
    finding("L041", status, format!("{count} since the app started"))
}

/// Checks that an in-process store is not used by an app of several processes.
///
/// `location` is what [`Store::location`](larder_store::Store::location) returns. `variable` looks up an
/// environment variable, as `|name| std::env::var(name).ok()` does: `REPLICAS` above 1, or a process
/// in Kubernetes, means that there may be several.
pub fn memory_shared_by_processes(
    location: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Finding {
    let is_memory = location.starts_with("memory:");
    let replicas = variable("REPLICAS").and_then(|count| count.trim().parse::<u32>().ok());
    let in_kubernetes = variable("KUBERNETES_SERVICE_HOST").is_some();
    let (status, seen) = match (is_memory, replicas, in_kubernetes) {
        (false, _, _) => (Status::Ok, "a store that processes share".to_owned()),
        (true, Some(count @ 2..), _) => (
            Status::Fail,
            format!("memory:// in {count} replicas, each on its own"),
        ),
        (true, None, true) => {
            let seen = "memory:// in Kubernetes: a second pod would share nothing";
            (Status::Warn, seen.to_owned())
        }
        (true, _, _) => (Status::Ok, "memory:// in one process".to_owned()),
    };
    finding("A001", status, seen)
}

/// Checks that the app has one version of `larder-store`, by the text of its `Cargo.lock`.
///
/// With two, a store of one version does not fit a layer of the other.
pub fn duplicated_store_crates(lock: &str) -> Finding {
    let packages = lock.split("[[package]]");
    let ours = packages.filter(|package| {
        let mut lines = package.lines();
        lines.any(|line| line.trim() == "name = \"larder-store\"")
    });
    let versions = ours.filter_map(|package| {
        let mut lines = package.lines();
        let version = lines.find_map(|line| line.trim().strip_prefix("version = "))?;
        Some(version.trim_matches('"'))
    });
    let versions: Vec<_> = versions.collect();
    let status = match versions.len() {
        0 => Status::Unknown,
        1 => Status::Ok,
        _ => Status::Fail,
    };
    let seen = match versions.is_empty() {
        true => "no larder-store in this file".to_owned(),
        false => versions.join(" and "),
    };
    finding("A012", status, seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_in_process_is_for_one_process() {
        let status = |location: &str, name: &'static str, value: &'static str| {
            let variable = move |asked: &str| (asked == name).then(|| value.to_owned());
            memory_shared_by_processes(location, variable).status
        };
        assert_eq!(status("memory://", "", ""), Status::Ok);
        assert_eq!(status("memory://", "REPLICAS", "1"), Status::Ok);
        assert_eq!(status("memory://", "REPLICAS", "3"), Status::Fail);
        assert_eq!(status("redis://h:1", "REPLICAS", "3"), Status::Ok);
        let kubernetes = "KUBERNETES_SERVICE_HOST";
        assert_eq!(status("memory://", kubernetes, "10.0.0.1"), Status::Warn);
    }

    #[test]
    fn each_check_has_a_number_of_its_own_and_poisoned_values_are_a_failure() {
        for check in CHECKS {
            let found = finding(check.id.as_str(), Status::Ok, "");
            assert_eq!((found.id, found.title), (check.id, check.title));
        }
        assert_eq!(poisoned_values(0).status, Status::Ok);
        assert_eq!(poisoned_values(1).status, Status::Fail);
    }

    #[test]
    fn two_versions_of_the_store_crate_are_a_failure() {
        let package = |name: &str, version: &str| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\n")
        };
        let one = package("larder-store", "0.1.0") + &package("larder-store-x", "0.2.0");
        assert_eq!(duplicated_store_crates(&one).status, Status::Ok);
        let two = one + &package("larder-store", "0.2.0");
        let found = duplicated_store_crates(&two);
        assert_eq!(
            (found.status, &*found.seen),
            (Status::Fail, "0.1.0 and 0.2.0")
        );
        assert_eq!(duplicated_store_crates("").status, Status::Unknown);
    }
}
