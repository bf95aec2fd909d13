//! Refusals over HTTP: their body, and their problem document.

mod body;
mod problem;

pub use body::ResponseBody;
pub use problem::Problem;
