//! A workspace that breaks a rule, for each rule.

mod arrows;
mod manifests;

use super::graph::{Dependency, Package, Workspace};
use super::places::{Place, Role};
use super::rules::breaches;

const PLACES: &[Place] = &[
    Place {
        name: "store",
        height: 1,
        role: Role::Contract,
    },
    Place {
        name: "laws",
        height: 2,
        role: Role::Harness,
    },
    Place {
        name: "disk",
        height: 2,
        role: Role::Backend,
    },
    Place {
        name: "tape",
        height: 2,
        role: Role::Backend,
    },
    Place {
        name: "limit",
        height: 4,
        role: Role::Layer,
    },
    Place {
        name: "all",
        height: 6,
        role: Role::Assembly,
    },
];

const MANIFEST: &str = "[package]\nversion.workspace = true\n[lints]\nworkspace = true\n";

/// Every crate of the table, and an example: a workspace without a breach.
fn sound() -> Workspace {
    let names = PLACES.iter().map(|place| place.name);
    let mut packages: Vec<_> = names.map(published).collect();
    packages.push(Package {
        in_crates: false,
        publishable: false,
        ..published("example")
    });
    let mut workspace = Workspace { packages };
    for (from, to) in [
        ("disk", "store"),
        ("limit", "store"),
        ("all", "limit"),
        ("all", "disk"),
    ] {
        depend(&mut workspace, from, to, "=1.0.0");
    }
    depend(&mut workspace, "example", "all", "*");
    depend(&mut workspace, "limit", "serde", "^1");
    workspace
}

fn published(name: &str) -> Package {
    let some = |text: &str| Some(text.to_owned());
    Package {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        rust_version: some("1.88"),
        description: some("A crate."),
        license: some("MIT"),
        readme: some("README.md"),
        keywords: vec!["larder".to_owned()],
        categories: vec!["caching".to_owned()],
        is_documented_whole: true,
        in_crates: true,
        publishable: true,
        dependencies: Vec::new(),
        manifest: MANIFEST.to_owned(),
    }
}

fn of<'a>(workspace: &'a mut Workspace, name: &str) -> &'a mut Package {
    let mut packages = workspace.packages.iter_mut();
    packages
        .find(|package| package.name == name)
        .expect("the workspace has this package")
}

fn depend(workspace: &mut Workspace, from: &str, to: &str, requirement: &str) {
    let (name, requirement) = (to.to_owned(), requirement.to_owned());
    of(workspace, from)
        .dependencies
        .push(Dependency { name, requirement });
}

/// Breaks a sound workspace, and asserts that exactly this is reported.
fn assert_caught(expected: &[&str], break_it: impl FnOnce(&mut Workspace)) {
    let mut workspace = sound();
    break_it(&mut workspace);
    assert_eq!(breaches(&workspace, PLACES), expected);
}

#[test]
fn a_sound_workspace_has_no_breach() {
    assert_caught(&[], |_| ());
}
