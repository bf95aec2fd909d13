//! Tests over the whole workspace, in one binary.

mod allocations;
mod broken;
mod cancel;
mod connect;
mod consistency;
mod damage;
mod events;
mod faults;
mod fuzz;
mod laws;
mod leases;
mod ledger;
mod locks;
mod model;
mod namespaces;
mod pages;
mod programs;
mod sending;
mod servers;
mod sharded;
mod structures;
mod support;
mod tag_removal;
mod telemetry;
mod walls;
mod write_behind;
