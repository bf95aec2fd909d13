//! One file for each thing that is measured.

pub mod fast_path;
pub mod gcra;
pub mod layer;
pub mod load_through;
pub mod near_hit;
pub mod redis_get;
