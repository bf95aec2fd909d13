//! The storeroom behind an axum or tower service: one store, in process or in Redis, and the layers that live on it.
