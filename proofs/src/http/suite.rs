//! The suite as an npm package, and what it says of a cache.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;

/// The package, and the version that the reasons speak of.
const PACKAGE: &str = "http-cache-tests";
const VERSION: &str = "0.4.5";

/// The suite, installed.
pub(super) struct Suite {
    script: PathBuf,
    package: PathBuf,
}

/// A program that ends when it is dropped, and the address that it has printed.
pub(super) struct Server {
    child: Child,
    pub(super) url: String,
}

/// What the suite says of one cache in one test.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Said {
    /// The cache and its version; nothing for the one that was run.
    pub(super) cache: String,
    pub(super) id: String,
    /// `required`, `optimal` or `check`.
    pub(super) kind: String,
    /// The suite's sign for the result.
    mark: String,
    pub(super) why: String,
}

/// What a sign of the suite means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// It passes, or, where the suite only wants to know, the answer is yes.
    Passes,
    /// It does not, or the answer is no.
    Fails,
    /// The test got no further than its preparations.
    Unprepared,
    /// Another test that this one depends on does not pass.
    Dependent,
    /// The cache was not tested.
    Untested,
}

impl Suite {
    /// Installs the package below `scratch`, unless it is there.
    pub(super) fn install(scratch: &Path) -> Result<Self, String> {
        let package = scratch.join("node_modules").join(PACKAGE);
        if !package.join("package.json").exists() {
            fs::create_dir_all(scratch).map_err(|error| error.to_string())?;
            let install = ["install", "--no-save", "--omit=dev", "--ignore-scripts"];
            let mut npm = Command::new("npm");
            npm.args(install).arg(format!("{PACKAGE}@{VERSION}"));
            let done = npm.arg("--prefix").arg(scratch).stdout(Stdio::null());
            let status = done.status().map_err(|error| missing("npm", &error))?;
            if !status.success() {
                return Err(format!("npm cannot install {PACKAGE}@{VERSION}: {status}"));
            }
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/suite.mjs");
        Ok(Self { script, package })
    }

    fn node(&self, task: &[&str]) -> Command {
        let mut node = Command::new("node");
        node.arg("--no-warnings").arg(&self.script);
        node.arg(&self.package).args(task);
        node
    }

    /// Serves the suite's origin.
    pub(super) fn origin(&self) -> Result<Server, String> {
        Server::start(&mut self.node(&["origin"]), "node")
    }

    /// Runs all tests against the cache at `url`.
    pub(super) fn run(&self, url: &str) -> Result<Vec<Said>, String> {
        self.ask(&["run", url])
    }

    /// Returns the results of other caches that the package holds.
    pub(super) fn published(&self) -> Result<Vec<Said>, String> {
        self.ask(&["published"])
    }

    fn ask(&self, task: &[&str]) -> Result<Vec<Said>, String> {
        let output = self.node(task).stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| missing("node", &error))?;
        if !output.status.success() {
            return Err(format!("node: {}", output.status));
        }
        let lines = output.stdout.split(|byte| *byte == b'\n');
        let lines = lines.filter(|line| !line.is_empty());
        let said =
            lines.map(|line| serde_json::from_slice(line).map_err(|error| error.to_string()));
        said.collect()
    }
}

impl Server {
    /// Starts a program, and waits for the line with its address.
    pub(super) fn start(command: &mut Command, name: &str) -> Result<Self, String> {
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| missing(name, &error))?;
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        let read = BufReader::new(stdout).read_line(&mut line);
        let server = Self {
            child,
            url: line.trim().to_owned(),
        };
        match read {
            Ok(_) if server.url.starts_with("http://") => Ok(server),
            _ => Err(format!("{name} printed no address, but '{}'", server.url)),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Said {
    pub(super) fn mark(&self) -> Mark {
        match self.mark.as_str() {
            "✅" | "Y" => Mark::Passes,
            "⛔️" | "⚠️" | "N" => Mark::Fails,
            "⚪️" => Mark::Dependent,
            "-" => Mark::Untested,
            _ => Mark::Unprepared,
        }
    }
}

fn missing(name: &str, error: &std::io::Error) -> String {
    format!("cannot run {name}: {error}; install Node.js 14 or newer, which comes with npm")
}
