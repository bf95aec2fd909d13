//! Extracts the program from the front page, so that the program shown there is the one that is tested.

use std::path::Path;
use std::{env, fs};

fn main() {
    let here = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let page = Path::new(&here).join("../README.md");
    println!("cargo::rerun-if-changed={}", page.display());
    let text = fs::read_to_string(&page).expect("the front page is there");
    let (_, rest) = text
        .split_once("```rust,no_run\n")
        .expect("it has a program");
    let (program, _) = rest.split_once("\n```").expect("the program has an end");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("front_page.rs"), program).expect("the program is written");
}
