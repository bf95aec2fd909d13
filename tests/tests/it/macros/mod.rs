//! The attributes on functions and methods of all shapes.
#![allow(clippy::unwrap_used)]

mod captures;
mod far;
mod hygiene;
mod invalidates;
mod methods;
mod recursion;
mod returns;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder_cache::{Cache, CacheKey};
use larder_store::{Kind, Ttl};

/// Counts the runs of a body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs(Arc<AtomicUsize>);

impl Runs {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

pub(crate) const FILM: Kind = Kind::evictable("film");

pub(crate) fn near<K: CacheKey, V: Send + Sync + 'static>() -> Cache<K, V> {
    Cache::builder(FILM, Ttl::from_secs(60)).build().unwrap()
}
