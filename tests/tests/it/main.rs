//! Tests over the whole workspace, in one binary.

mod laws;
mod servers;
mod walls;
