//! Small programs, each of which shows one part of larder. They are in `examples/`; this library renders the
//! starter's template.
//!
//! [The index](https://github.com/larder-rs/larder/tree/main/examples) lists them, with the starter and Matinee.

pub mod template;
