//! Checks of an app that ask no server.

use super::checks::{CheckId, page};
use super::report::{Finding, Status};

/// The number and title of each check of an app.
pub(super) const CHECKS: &[(CheckId, &str)] = &[(A001, A001_TITLE), (A012, A012_TITLE)];

const A001: CheckId = CheckId::new("A001");
const A001_TITLE: &str = "a store in process for several processes";

const A012: CheckId = CheckId::new("A012");
const A012_TITLE: &str = "versions of the store crate";

/// Checks that a store in process is not used by an app of several processes.
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
    Finding {
        id: A001,
        title: A001_TITLE,
        server: String::new(),
        status,
        seen,
        threshold: "memory:// for one process only",
        fix: "set STORE_URL=redis://…",
        page: page(A001, A001_TITLE),
    }
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
    Finding {
        id: A012,
        title: A012_TITLE,
        server: String::new(),
        status,
        seen,
        threshold: "one",
        fix: "cargo tree -d -i larder-store, then cargo update",
        page: page(A012, A012_TITLE),
    }
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
