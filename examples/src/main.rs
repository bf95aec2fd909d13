//! Writes the starter from its template, or each combination of its choices into a folder.
//!
//! `starter-template ROOT` writes `examples/starter/src/main.rs` below the root of the repository.
//! `starter-template ROOT FOLDER` writes a workspace with a package for each combination.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use larder_examples::template::{CHOICES, STARTER, render};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let root = arguments
        .next()
        .ok_or("expected the root of the repository")?;
    let starter = root.join("examples/starter");
    let template = |file: &str| fs::read_to_string(starter.join("template").join(file));
    let program = template("src/main.rs.liquid")?;
    let Some(folder) = arguments.next() else {
        let rendered = render(&program, "starter", "", STARTER);
        return Ok(fs::write(starter.join("src/main.rs"), rendered)?);
    };
    let manifest = template("Cargo.toml.liquid")?;
    let larder = root.join("crates/larder");
    for combination in 0..1 << CHOICES.len() {
        let name = format!("combination-{combination}");
        let package = folder.join(&name);
        let write = |file: &str, template: &str| {
            let rendered = render(template, &name, &larder.to_string_lossy(), combination);
            fs::write(package.join(file), rendered)
        };
        fs::create_dir_all(package.join("src"))?;
        write("src/main.rs", &program)?;
        write("Cargo.toml", &manifest)?;
    }
    let workspace: &Path = &folder.join("Cargo.toml");
    Ok(fs::write(
        workspace,
        "[workspace]\nresolver = \"3\"\nmembers = [\"combination-*\"]\n",
    )?)
}
