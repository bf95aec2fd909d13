//! Where each published crate stands.

/// A published crate's place in the workspace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) name: &'static str,
    /// Every dependency on another crate of the workspace points to a lower height.
    pub(super) height: u8,
    pub(super) role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// What every other crate stands on.
    Contract,
    /// A store. It names no layer.
    Backend,
    /// What lives on a store, of whichever backend. It names none.
    Layer,
    /// What puts layers on a backend: it names both.
    Assembly,
    /// What only tests use. It never ships in another crate.
    Harness,
}

/// Every published crate, lowest first. A new one gets a line here before it gets a dependency.
pub(super) const PLACES: &[Place] = &[
    place("larder-store", 1, Role::Contract),
    place("larder-test", 2, Role::Harness),
    place("larder-moka", 2, Role::Backend),
    place("larder-redis", 2, Role::Backend),
    place("larder-layer", 2, Role::Layer),
    place("larder-structures", 2, Role::Layer),
    place("larder-cache", 3, Role::Layer),
    place("larder-events", 3, Role::Layer),
    place("larder-queue", 3, Role::Layer),
    place("larder-tower-sessions", 3, Role::Layer),
    place("larder-macros", 4, Role::Layer),
    place("larder-rate-limit", 4, Role::Layer),
    place("larder-response-cache", 4, Role::Layer),
    place("larder-session", 4, Role::Layer),
    place("larder-ops", 5, Role::Assembly),
    place("larder", 6, Role::Assembly),
    place("larder-cli", 7, Role::Assembly),
];

/// Dependencies that others must not pay for, and the only published crates that may name them.
pub(super) const WALLED: &[(&str, &[&str])] = &[
    ("redis", &["larder-redis"]),
    ("bb8", &["larder-redis"]),
    ("bb8-redis", &["larder-redis"]),
    ("moka", &["larder-moka"]),
    ("quick_cache", &["larder-layer"]),
    ("croner", &["larder-queue"]),
    ("jiff", &["larder-queue", "larder-rate-limit"]),
];

const fn place(name: &'static str, height: u8, role: Role) -> Place {
    Place { name, height, role }
}
