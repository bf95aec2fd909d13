//! Walks through Matinee with a real browser: headless Chromium, driven by the DevTools protocol.
//!
//! `./scripts/browser-walk [DIR]` runs it, and leaves a screenshot of each step in `DIR`. Each walk goes from
//! the catalogue to a film, signs in, holds a seat, books it, looks at the tickets and at the devices, and signs
//! out, while another window shows how the seat is held and booked: on a narrow and on a wide screen, in light
//! and in dark mode. Then an administrator looks at every view of the operators' page in the same four ways, does
//! each action once, and looks again while Redis is down.
//!
//! Every step asserts what the page shows, that nothing is wider than the screen, that clicked elements are not
//! covered, and that the browser reports no errors.

#![allow(clippy::print_stdout, reason = "it tells how far it is")]

mod app;
mod chromium;
mod incident;
mod operations;
mod page;
mod tools;
mod walk;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use larder_test::server::Sandbox;

use self::app::App;
use self::chromium::Chromium;
use self::walk::{VIEWS, walk};

/// The error of a step.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let dir = std::env::args_os().nth(1).map(PathBuf::from);
    let dir = dir.unwrap_or_else(|| std::env::temp_dir().join("matinee-walk"));
    match run(&dir) {
        Ok(steps) => {
            println!("{steps} steps; their screenshots are in {}", dir.display());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("failed: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(dir: &Path) -> Result<usize, Failure> {
    std::fs::create_dir_all(dir)?;
    let sandbox = Sandbox::new()?;
    let app = App::open(&sandbox, "memory://", "100000/second")?;
    let chromium = Chromium::open(&sandbox)?;
    let mut steps = 0;
    for view in VIEWS {
        steps += walk(&chromium, &app, view, dir)?;
    }
    drop(app);
    Ok(steps + operations::walk(&chromium, dir)?)
}
