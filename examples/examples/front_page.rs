//! The program of the front page, unchanged.
//!
//! `cargo run -p larder-examples --example front_page`; `LISTEN` and `STORE_URL` are optional.
//!
//! ```text
//! $ curl -si http://127.0.0.1:3000/films/12 | grep -i cache-status
//! cache-status: larder; fwd=uri-miss; fwd-status=200; stored
//! $ curl -si http://127.0.0.1:3000/films/12 | grep -i cache-status
//! cache-status: larder; hit; ttl=…
//! $ curl -s -c jar http://127.0.0.1:3000/
//! visit 1
//! $ curl -s -b jar http://127.0.0.1:3000/
//! visit 2
//! ```

#![allow(clippy::print_stdout, reason = "a page shows what everybody knows")]

include!(concat!(env!("OUT_DIR"), "/front_page.rs"));
