//! The workspace, as far as the rules look at it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[derive(Clone, Debug)]
pub(super) struct Workspace {
    pub(super) packages: Vec<Package>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) rust_version: Option<String>,
    pub(super) description: Option<String>,
    pub(super) license: Option<String>,
    pub(super) readme: Option<String>,
    pub(super) keywords: Vec<String>,
    pub(super) categories: Vec<String>,
    /// The settings of the published documentation: all features, and the flag that shows which item needs which feature.
    pub(super) is_documented_whole: bool,
    /// Whether it lies in `crates/`, where all that is published lies.
    pub(super) in_crates: bool,
    /// Whether cargo would publish it.
    pub(super) publishable: bool,
    /// What ships with it; not what only its tests use.
    pub(super) dependencies: Vec<Dependency>,
    /// The text of its `Cargo.toml`.
    pub(super) manifest: String,
}

#[derive(Clone, Debug)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) requirement: String,
}

impl Workspace {
    /// This workspace.
    pub(super) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let output = Command::new(env!("CARGO"))
            .args([
                "metadata",
                "--format-version",
                "1",
                "--no-deps",
                "--offline",
            ])
            .current_dir(root)
            .output()
            .expect("cargo runs, since it runs this test");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo metadata failed: {errors}");
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
        let crates = Path::new(text(&metadata, "workspace_root")).join("crates");
        let packages = list(&metadata, "packages").map(|package| Package::read(package, &crates));
        Self {
            packages: packages.collect(),
        }
    }

    pub(super) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }
}

impl Package {
    fn read(package: &Value, crates: &Path) -> Self {
        let path = Path::new(text(package, "manifest_path"));
        let field = |name: &str| package[name].as_str().map(str::to_owned);
        let docs = &package["metadata"]["docs"]["rs"];
        Self {
            name: text(package, "name").to_owned(),
            version: text(package, "version").to_owned(),
            rust_version: field("rust_version"),
            description: field("description"),
            license: field("license"),
            keywords: list(package, "keywords").map(owned).collect(),
            categories: list(package, "categories").map(owned).collect(),
            is_documented_whole: docs["all-features"] == true
                && docs["rustdoc-args"] == serde_json::json!(["--cfg", "docsrs"]),
            // A readme that is named and does not exist is none.
            readme: field("readme").filter(|readme| path.with_file_name(readme).exists()),
            in_crates: path.starts_with(crates),
            // `publish = false` is an empty list of registries, and no word is null.
            publishable: package["publish"]
                .as_array()
                .is_none_or(|to| !to.is_empty()),
            dependencies: list(package, "dependencies")
                .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
                .map(Dependency::read)
                .collect(),
            manifest: std::fs::read_to_string(path).expect("cargo has just read it"),
        }
    }
}

impl Dependency {
    fn read(dependency: &Value) -> Self {
        Self {
            name: text(dependency, "name").to_owned(),
            requirement: text(dependency, "req").to_owned(),
        }
    }
}

fn owned(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("metadata has the text `{field}`"))
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value[field]
        .as_array()
        .unwrap_or_else(|| panic!("metadata has the list `{field}`"))
        .iter()
}
