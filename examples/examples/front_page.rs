//! The program of the front page, unchanged.
//!
//! `cargo run -p larder-examples --example front_page`, with `LISTEN` and `STORE_URL` as you like.
//!
//! ```text
//! $ curl -s http://127.0.0.1:3000/films/12
//! film 12, loaded once
//! ```

#![allow(clippy::print_stdout, reason = "a page shows what everybody knows")]

include!(concat!(env!("OUT_DIR"), "/front_page.rs"));
