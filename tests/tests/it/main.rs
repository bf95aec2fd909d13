//! Tests over the whole workspace, in one binary.

mod allocations;
mod connect;
mod laws;
mod programs;
mod servers;
mod walls;
