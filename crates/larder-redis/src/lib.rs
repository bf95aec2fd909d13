//! The Redis store of larder, over bb8 and multiplexed connections.
