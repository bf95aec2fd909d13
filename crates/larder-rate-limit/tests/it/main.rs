//! What a rate limit does, seen from outside.

mod exact;
mod failing;
mod keys;
mod layer;
mod limiter;
mod metrics;
mod refusals;
mod support;
mod tower_shape;
