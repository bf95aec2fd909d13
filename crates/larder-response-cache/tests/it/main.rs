//! The layer through HTTP semantics: a scripted origin, a clock that a test moves, no server.

// Helpers are no tests to the lint.
#![allow(clippy::unwrap_used)]

mod conditions;
mod failures;
mod fixture;
mod flights;
mod profiles;
mod purges;
mod reuse;
mod streams;
mod variants;
