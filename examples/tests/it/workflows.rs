//! What CI runs is a script of the repository, or installs a tool for one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The commands of all workflows.
fn commands() -> Vec<String> {
    let mut commands = Vec::new();
    for entry in fs::read_dir(root().join(".github/workflows")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let steps = text.lines().filter_map(|line| line.split_once("run: "));
        commands.extend(steps.map(|(_, command)| command.to_owned()));
    }
    commands
}

/// The names of the scripts that a text runs.
fn scripts(text: &str) -> BTreeSet<String> {
    let calls = text.split("scripts/").skip(1);
    let name = |call: &str| {
        let end = call.find(|c: char| !c.is_ascii_lowercase() && c != '-');
        call[..end.unwrap_or(call.len())].to_owned()
    };
    calls.map(name).filter(|name| !name.is_empty()).collect()
}

#[test]
fn each_step_of_a_workflow_is_a_script_or_installs_a_tool() {
    let commands = commands();
    assert!(commands.len() > 10, "{commands:?}");
    let tools = [
        "rustup update stable",
        "rustup toolchain install ",
        "cargo install --locked ",
    ];
    for command in commands {
        let is_tool = tools.iter().any(|tool| command.starts_with(tool));
        let is_script = command.starts_with("./scripts/");
        assert!(is_tool || is_script, "this is not a script: {command}");
    }
}

#[test]
fn each_script_that_a_workflow_or_a_page_runs_is_there() {
    let mut named = scripts(&commands().join("\n"));
    for page in [
        "RELEASING.md",
        "CONTRIBUTING.md",
        "docs/stability.md",
        "docs/features.md",
    ] {
        named.extend(scripts(&read(page)));
    }
    for name in named {
        let path = root().join("scripts").join(&name);
        assert!(path.is_file(), "there is no scripts/{name}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o111, 0o111, "scripts/{name} cannot be run");
        }
    }
}

#[test]
fn a_release_checks_what_ci_checks() {
    let release = scripts(&read("scripts/release"));
    for name in scripts(&read(".github/workflows/ci.yml")) {
        // A book that is not built holds up no release.
        assert!(
            release.contains(&name) || name == "book",
            "no scripts/{name}"
        );
    }
}

#[test]
fn ci_installs_the_rust_that_the_crates_promise() {
    let manifest = read("Cargo.toml");
    let (_, version) = manifest.split_once("rust-version = \"").unwrap();
    let (version, _) = version.split_once('"').unwrap();
    let install = format!("rustup toolchain install {version} --profile minimal");
    assert!(commands().contains(&install), "{install}");
}

#[test]
fn each_proof_of_a_workflow_is_there() {
    let workflow = read(".github/workflows/proofs.yml");
    let (_, proofs) = workflow.split_once("proof: [").unwrap();
    let (proofs, _) = proofs.split_once(']').unwrap();
    let there = read("proofs/src/proof.rs");
    for proof in proofs.split(',').map(str::trim) {
        assert!(there.contains(&format!("name: \"{proof}\"")), "{proof}");
    }
}
