//! Small programs that show one part of larder each. They are in `examples/`; this library is empty.
//!
//! [The index](https://github.com/larder-rs/larder/tree/main/examples) lists them, with the starter and Matinee.
