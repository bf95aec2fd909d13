//! Errors: at the start (one line, exit code 1) and in a request (a page for people, problem
//! details for programs).

mod problem;
mod render;
mod start;

pub(crate) use self::problem::Problem;
pub(crate) use self::render::{not_found, render};
pub use self::start::StartError;
