//! Small programs that show one part of larder each. They are in `examples/`; this library renders the starter's template.
//!
//! [The index](https://github.com/larder-rs/larder/tree/main/examples) lists them, with the starter and Matinee.

pub mod template;
