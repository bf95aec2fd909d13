//! The judges of the proofs find what they must, and nothing else.

mod blobs;
mod cancel;
mod consistency;
mod faults;
mod fences;
mod leases;
mod locks;
mod queue;
mod races;
mod write_behind;
