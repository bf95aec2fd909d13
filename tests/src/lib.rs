//! Tests over the whole workspace live in `tests/it`. Here are the programs of the pages, compiled.

/// The front page.
#[doc = include_str!("../../README.md")]
pub struct FrontPage;
