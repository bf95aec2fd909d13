//! The layer, in front of a scripted origin and on a clock that a test moves.

// The lint exempts tests only, not their helpers.
#![allow(clippy::unwrap_used)]
// The same tests run once for each store.
#![allow(clippy::duplicate_mod)]

mod bodies;
mod clocks;
mod failures;
mod fixture;
mod flights;
mod gate;
mod lagging;
mod near_only;
mod nested;
mod partial_failures;
mod recordings;
mod shards;
mod tower_shape;

/// The tests that run on every store.
macro_rules! on {
    ($place:ident, $name:ident) => {
        #[path = "both"]
        mod $name {
            use larder_response_cache::ResponseCacheBuilder;

            use crate::fixture::{Fixture, Place};

            async fn fixture() -> Fixture {
                fixture_with(|builder| builder).await
            }

            async fn gated() -> (Fixture, crate::gate::Control) {
                gated_with(|builder| builder).await
            }

            async fn gated_with(
                set: impl FnOnce(ResponseCacheBuilder) -> ResponseCacheBuilder,
            ) -> (Fixture, crate::gate::Control) {
                Fixture::gated_at(Place::$place, set).await
            }

            async fn fixture_with(
                set: impl FnOnce(ResponseCacheBuilder) -> ResponseCacheBuilder,
            ) -> Fixture {
                Fixture::at(Place::$place, set).await
            }

            #[path = "authority.rs"]
            mod authority;
            #[path = "conditions.rs"]
            mod conditions;
            #[path = "deception.rs"]
            mod deception;
            #[path = "details.rs"]
            mod details;
            #[path = "disconnects.rs"]
            mod disconnects;
            #[path = "errors.rs"]
            pub(crate) mod errors;
            #[path = "expiry.rs"]
            mod expiry;
            #[path = "flights.rs"]
            mod flights;
            #[path = "head.rs"]
            mod head;
            #[path = "lifetimes.rs"]
            mod lifetimes;
            #[path = "newest.rs"]
            mod newest;
            #[path = "profiles.rs"]
            mod profiles;
            #[path = "purge_races.rs"]
            mod purge_races;
            #[path = "purged_stale.rs"]
            mod purged_stale;
            #[path = "purges.rs"]
            mod purges;
            #[path = "reuse.rs"]
            mod reuse;
            #[path = "stale.rs"]
            mod stale;
            #[path = "streams.rs"]
            mod streams;
            #[path = "superseded.rs"]
            mod superseded;
            #[path = "tag_purges.rs"]
            mod tag_purges;
            #[path = "variant_races.rs"]
            mod variant_races;
            #[path = "variants.rs"]
            mod variants;
            #[path = "waiting.rs"]
            mod waiting;
        }
    };
}

on!(Memory, on_memory);
on!(Redis, on_redis);
