//! Extracts the program from the front page, so that the program shown there is the one that is tested, and renders
//! the starter's template, so that each combination of its choices is compiled.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

#[path = "src/template.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the library and its users need the rest"
)]
mod template;

fn main() {
    let here = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    let (here, out) = (Path::new(&here), Path::new(&out));
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/template.rs");

    let text = read(&here.join("../README.md"));
    let (_, rest) = text
        .split_once("```rust,no_run\n")
        .expect("it has a program");
    let (program, _) = rest.split_once("\n```").expect("the program has an end");
    fs::write(out.join("front_page.rs"), program).expect("the program is written");

    let program = read(&here.join("starter/template/src/main.rs.liquid"));
    let mut modules = String::new();
    // The last choice, Redis, is one of the manifest alone.
    for combination in 0..1 << (template::CHOICES.len() - 1) {
        let path = out.join(format!("combination_{combination}.rs"));
        let rendered = template::render(&program, "starter", "", combination);
        fs::write(&path, rendered).expect("the program is written");
        writeln!(modules, "#[path = {path:?}] mod combination_{combination};").expect("a string");
    }
    fs::write(out.join("combinations.rs"), modules).expect("the modules are written");
}

fn read(path: &Path) -> String {
    println!("cargo::rerun-if-changed={}", path.display());
    fs::read_to_string(path).expect("it is there")
}
