//! One file for each thing that is measured.

pub(crate) mod cluster;
pub(crate) mod events;
pub(crate) mod fast_path;
pub(crate) mod gcra;
pub(crate) mod hit_ratio;
pub(crate) mod layer;
pub(crate) mod leases;
pub(crate) mod load_through;
pub(crate) mod locks;
pub(crate) mod near_hit;
pub(crate) mod operations;
pub(crate) mod queue;
pub(crate) mod queue_large;
pub(crate) mod queue_peers;
pub(crate) mod redis_get;
pub(crate) mod response_cache;
pub(crate) mod response_cache_sockets;
pub(crate) mod session;
pub(crate) mod structures;
pub(crate) mod typed_cache;
