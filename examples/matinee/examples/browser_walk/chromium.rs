use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use larder_test::server::Sandbox;

use crate::Failure;
use crate::tools::Tools;

const NAMES: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];
const OPENING: Duration = Duration::from_secs(60);

/// A headless browser. It ends when this is dropped.
pub(crate) struct Chromium {
    child: Child,
    url: String,
}

impl Chromium {
    /// Starts the browser of `CHROMIUM`, or the first that is found.
    pub(crate) fn open(sandbox: &Sandbox) -> Result<Self, Failure> {
        let named = std::env::var("CHROMIUM").ok();
        let names = named.iter().map(String::as_str).chain(NAMES);
        let profile = sandbox.path().join("browser");
        let spawn = |name| {
            let mut command = Command::new(name);
            command
                .args(["--headless=new", "--remote-debugging-port=0"])
                // Root runs it in containers, and it opens only our own pages.
                .args(["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"])
                .args(["--no-first-run", "--disable-background-networking"])
                .args(["--hide-scrollbars", "--lang=en-US"])
                .arg(format!("--user-data-dir={}", profile.display()))
                .arg("about:blank")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            sandbox.adopt(&mut command).spawn().ok()
        };
        let child = names.into_iter().find_map(spawn);
        let child = child.ok_or("no Chromium is found; set CHROMIUM to its path")?;
        let mut chromium = Self {
            child,
            url: String::new(),
        };
        let said = profile.join("DevToolsActivePort");
        let since = Instant::now();
        while since.elapsed() < OPENING {
            let text = fs::read_to_string(&said).unwrap_or_default();
            if let Some((port, path)) = text.split_once('\n').filter(|it| !it.1.is_empty()) {
                chromium.url = format!("ws://127.0.0.1:{port}{}", path.trim());
                return Ok(chromium);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err("the browser does not open".into())
    }

    /// Opens a separate connection to the tools.
    pub(crate) fn tools(&self) -> Result<Tools, Failure> {
        Tools::connect(&self.url)
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
