//! One running example.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use larder_test::server::Sandbox;

/// Far more than a start takes, on a machine that compiles meanwhile.
const OPENING: Duration = Duration::from_secs(20);

/// An example that serves. It is killed when dropped.
pub(crate) struct Example {
    program: PathBuf,
    child: Child,
    address: SocketAddr,
    sandbox: Sandbox,
}

impl Example {
    /// Starts the example on a port of its own.
    pub(crate) fn start(name: &str, store_url: &str) -> Self {
        Self::start_with(name, &[("STORE_URL", store_url)])
    }

    /// Starts the example on a port of its own, with these settings.
    pub(crate) fn start_with(name: &str, settings: &[(&str, &str)]) -> Self {
        Self::start_program(built(name), settings)
    }

    /// Starts any program that prints `http://` and its address, perhaps after other lines.
    pub(crate) fn start_program(program: PathBuf, settings: &[(&str, &str)]) -> Self {
        let sandbox = Sandbox::new().unwrap();
        let mut command = command(&program);
        command
            .env("LISTEN", "127.0.0.1:0")
            .envs(settings.iter().copied())
            .stdout(Stdio::piped());
        let mut child = sandbox.adopt(&mut command).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (tell, told) = channel();
        thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
            let line = lines.find(|line| line.contains("http://"));
            let _ = tell.send(line.unwrap_or_default());
            // A closed pipe would disturb the log.
            lines.for_each(drop);
        });
        let line = told.recv_timeout(OPENING).unwrap_or_default();
        let address = line.split_once("http://").map(|(_, it)| it.trim().parse());
        let Some(Ok(address)) = address else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{program:?} does not say where it listens, but '{line}'");
        };
        Self {
            program,
            child,
            address,
            sandbox,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    #[allow(dead_code, reason = "only the starter's test stops one")]
    pub(crate) fn process(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Runs the same program as a client, and returns what it prints.
    pub(crate) fn run_as_client(&self, arguments: &[String]) -> String {
        let mut command = command(&self.program);
        command
            .args(arguments)
            .env("LISTEN", self.address.to_string())
            .stdout(Stdio::piped());
        printed_by(&mut self.sandbox.adopt(&mut command).spawn().unwrap())
    }
}

/// Runs an example that ends by itself, and returns what it prints.
pub(crate) fn run<'a>(
    name: &str,
    arguments: impl Iterator<Item = &'a str>,
    settings: &[(&str, String)],
) -> String {
    let sandbox = Sandbox::new().unwrap();
    let mut command = command(&built(name));
    command
        .args(arguments)
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::piped());
    let mut child = sandbox.adopt(&mut command).spawn().unwrap();
    printed_by(&mut child)
}

/// Returns what a program prints that succeeds. The sandbox ends one that does not end by itself.
fn printed_by(child: &mut Child) -> String {
    let mut printed = String::new();
    let stdout = child.stdout.take().unwrap();
    stdout.take(64 * 1024).read_to_string(&mut printed).unwrap();
    assert!(child.wait().unwrap().success(), "{printed}");
    printed
}

impl Drop for Example {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The example as it was built beside this test.
pub(crate) fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(
        path.exists(),
        "the examples are not built: run 'cargo test -p larder-examples', without '--test'"
    );
    path
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null());
    command
}
