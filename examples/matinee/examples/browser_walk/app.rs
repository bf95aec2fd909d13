use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;

use larder_test::server::Sandbox;

use crate::Failure;

/// The real program, with a database of its own. It ends when this is dropped.
pub(crate) struct App {
    child: Child,
    pub(crate) url: String,
}

impl App {
    /// Starts the program that was built beside this one, with a store and a limit on requests.
    pub(crate) fn open(sandbox: &Sandbox, store: &str, limit: &str) -> Result<Self, Failure> {
        let here = std::env::current_exe()?;
        let built = here.parent().and_then(|examples| examples.parent());
        let program = built.ok_or("no directory above")?.join("matinee");
        let mut command = Command::new(&program);
        command
            .env_clear()
            .envs([
                ("LISTEN", "127.0.0.1:0"),
                ("DATABASE_URL", "sqlite://matinee.db"),
                ("RATE_LIMIT", limit),
                ("STORE_URL", store),
                ("APP_ENV", "development"),
                ("TRUSTED_PROXIES", "127.0.0.1"),
            ])
            .current_dir(sandbox.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let child = sandbox.adopt(&mut command).spawn();
        let mut child = child.map_err(|error| format!("{}: {error}", program.display()))?;
        let stdout = child.stdout.take().ok_or("no output")?;
        let mut app = Self {
            child,
            url: String::new(),
        };
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let is_open = lines.find_map(|line| {
            let (_, rest) = line.split_once("address=")?;
            rest.split_whitespace().next().map(str::to_owned)
        });
        app.url = is_open.ok_or("the app does not open")?;
        // The program must never wait for a reader.
        thread::spawn(move || lines.for_each(drop));
        Ok(app)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
