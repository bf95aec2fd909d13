//! What goes wrong: before the start (one line, exit code 1) and in a request (a friendly page, or
//! problem details for a program).

mod problem;
mod render;
mod start;

pub(crate) use self::problem::Problem;
pub(crate) use self::render::{not_found, render};
pub use self::start::StartError;
