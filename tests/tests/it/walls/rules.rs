//! The rules, as pure functions over a workspace.

use super::graph::{Package, Workspace};
use super::places::{Place, Role, WALLED};

const RUST_VERSION: &str = "1.88";

/// Every breach of a wall, as a sentence; none when all is well.
pub(super) fn breaches(workspace: &Workspace, places: &[Place]) -> Vec<String> {
    let mut breaches = Vec::new();
    for place in places
        .iter()
        .filter(|place| workspace.package(place.name).is_none())
    {
        breaches.push(format!("{} has a place, and does not exist", place.name));
    }
    for package in &workspace.packages {
        let mut report = |breach: String| breaches.push(format!("{} {breach}", package.name));
        if !inherits(package, "lints", "workspace") {
            report("does not inherit the lints of the workspace".to_owned());
        }
        if package.in_crates != package.publishable {
            report("is published, or is in `crates/`: it must be both or neither".to_owned());
        }
        if package.publishable {
            manifest(workspace, package, &mut report);
            dependencies(workspace, package, places, &mut report);
        }
    }
    breaches
}

/// What every published package says about itself.
fn manifest(workspace: &Workspace, package: &Package, report: &mut dyn FnMut(String)) {
    let said = [
        ("description", &package.description),
        ("license", &package.license),
        ("readme", &package.readme),
    ];
    for (field, _) in said
        .iter()
        .filter(|(_, value)| value.as_deref().is_none_or(str::is_empty))
    {
        report(format!("has no {field}"));
    }
    // What the registry accepts: five at most of either, and a keyword of at most 20 letters.
    if !(1..=5).contains(&package.keywords.len())
        || package.keywords.iter().any(|word| word.len() > 20)
    {
        report("does not have one to five keywords of up to 20 letters".to_owned());
    }
    if !(1..=5).contains(&package.categories.len()) {
        report("does not have one to five categories".to_owned());
    }
    if !package.is_documented_whole {
        report("does not have its documentation built with all features".to_owned());
    }
    if package.rust_version.as_deref() != Some(RUST_VERSION) {
        report(format!("does not have rust-version {RUST_VERSION}"));
    }
    if !inherits(package, "package", "version.workspace") {
        report("does not inherit the version of the workspace".to_owned());
    }
    let mut others = workspace.packages.iter().filter(|other| other.publishable);
    if let Some(other) = others.find(|other| other.version != package.version) {
        report(format!(
            "is {}, and {} is {}",
            package.version, other.name, other.version
        ));
    }
}

/// What a published package stands on.
fn dependencies(
    workspace: &Workspace,
    package: &Package,
    places: &[Place],
    report: &mut dyn FnMut(String),
) {
    let Some(place) = find(places, &package.name) else {
        return report("has no place: give it a height and a role".to_owned());
    };
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        if WALLED
            .iter()
            .any(|(walled, by)| *walled == name && !by.contains(&place.name))
        {
            report(format!("names {name}, which is another crate's to name"));
        }
        let Some(sibling) = workspace.package(name) else {
            continue;
        };
        if dependency.requirement != format!("={}", sibling.version) {
            report(format!("does not ask for {name} of exactly its version"));
        }
        let Some(below) = find(places, name) else {
            report(format!("stands on {name}, which has no place"));
            continue;
        };
        if below.height >= place.height {
            report(format!(
                "stands at {}, and names {name} at {}",
                place.height, below.height
            ));
        }
        match (place.role, below.role) {
            (_, Role::Harness) => report(format!("ships {name}, which is for tests")),
            (Role::Layer, Role::Backend) => report(format!("is a layer, and names backend {name}")),
            (Role::Backend, Role::Layer) => report(format!("is a backend, and names layer {name}")),
            _ => {}
        }
    }
}

fn find<'a>(places: &'a [Place], name: &str) -> Option<&'a Place> {
    places.iter().find(|place| place.name == name)
}

/// Whether the manifest says `key = true` in `[table]`, which is all the TOML that is needed here.
fn inherits(package: &Package, table: &str, key: &str) -> bool {
    let (header, wanted) = (format!("[{table}]"), format!("{key}=true"));
    let mut inside = false;
    package.manifest.lines().any(|line| {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.starts_with('[') {
            inside = line == header;
        }
        inside && line.replace(' ', "") == wanted
    })
}
