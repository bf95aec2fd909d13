//! Tests over the whole workspace, in one binary.

mod servers;
mod walls;
