//! Tests over the whole workspace, in one binary.

mod allocations;
mod broken;
mod cancel;
mod connect;
mod laws;
mod model;
mod programs;
mod servers;
mod walls;
