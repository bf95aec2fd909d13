//! A stampede: many callers in many processes miss one key at once, and one of them loads.
//!
//! `cargo run --release -p larder-examples --example stampede -- --processes 10 --callers 1000`, with
//! `STORE_URL` of a Redis: without one there is only this process. `--kill-leader` kills the process
//! that loads, and `--naive` shows what happens without the cache. Each load appends the id of its
//! process to the file that `LOAD_LOG` names.

mod arguments;
mod child;
mod parent;

use arguments::Arguments;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    match arguments.key {
        Some(key) => child::run(&arguments, key),
        None => parent::run(&arguments),
    }
}
