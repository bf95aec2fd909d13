//! The laws of a store, each a small test that runs on any [`Fixture`].
//!
//! [`laws!`](crate::laws!) tests a backend, or a decorator that keeps the contract: always its values, and
//! each [`Capability`] except those that you name as missing. A broken law returns a [`Violation`] and
//! does not panic, so that a test can also show that a law can fail.

#[macro_use]
mod violation;
mod table;

mod arguments;
mod batches;
mod bus;
mod bus_helpers;
mod bus_streams;
mod cancellation;
mod capability;
mod conditions;
mod deletes;
mod errors;
mod expiry;
mod keys;
mod lease_commits;
mod lease_ends;
mod lease_fences;
mod lease_follows;
mod lease_helpers;
mod lease_races;
mod lease_refusals;
mod lease_returns;
mod leases;
mod many;
mod now;
mod races;
mod record_ends;
mod record_races;
mod records;
mod run_many;
mod scans;
mod scene;
mod ttl;
mod values;
mod versions;
mod waits;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

pub use capability::Capability;
use scene::Scene;
pub use violation::{Outcome, Violation};

use crate::Fixture;

/// A law of the contract.
#[derive(Clone, Copy)]
pub struct Law {
    name: &'static str,
    statement: &'static str,
    needs: &'static [Capability],
    run: Run,
}

type Run = for<'a> fn(&'a dyn Fixture) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

impl Law {
    /// Returns the name: a sentence with underscores.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the requirement in one sentence.
    pub fn statement(&self) -> &'static str {
        self.statement.trim()
    }

    /// Returns the capabilities that a store needs for the law. Most laws need none.
    pub fn needs(&self) -> &'static [Capability] {
        self.needs
    }

    /// Tests the law on the store of `fixture`, which must be new.
    ///
    /// # Errors
    /// What was expected and what happened instead, also if the law takes longer than `patience`.
    pub async fn check(&self, fixture: &dyn Fixture, patience: Duration) -> Outcome {
        match tokio::time::timeout(patience, (self.run)(fixture)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Violation::new(format!("no answer for {patience:?}"))),
        }
    }
}

impl fmt::Debug for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Law").field(&self.name).finish()
    }
}

crate::laws! { @table list [] }

/// Tests the law called `name` on a new fixture, in its own runtime.
///
/// The tests of [`laws!`](crate::laws!) call it.
///
/// # Panics
/// If the law is broken, with what was expected and what happened instead, or if the store lacks a
/// capability that the law needs.
pub fn prove<F: Fixture + 'static>(name: &str, fixture: impl Future<Output = F>) {
    prove_boxed(name, Box::pin(boxed(fixture)));
}

/// Checks that a store lacks `capability`, as its tests say.
///
/// # Panics
/// If it offers it.
pub fn prove_absent<F: Fixture + 'static>(
    capability: Capability,
    fixture: impl Future<Output = F>,
) {
    let offered = offers(capability, Box::pin(boxed(fixture)));
    assert!(
        !offered,
        "the store offers {capability}: remove it from `without`, so that its laws are tested"
    );
}

/// A fixture that is being made. Boxed, so that the runtime is compiled once, and not for each law.
type Making<'a> = Pin<Box<dyn Future<Output = Box<dyn Fixture>> + 'a>>;

async fn boxed<F: Fixture + 'static>(fixture: impl Future<Output = F>) -> Box<dyn Fixture> {
    Box::new(fixture.await)
}

fn prove_boxed(name: &str, fixture: Making<'_>) {
    let law = LAWS.iter().find(|law| law.name == name);
    let law = law.unwrap_or_else(|| panic!("there is no law called {name}"));
    let outcome = runtime().block_on(async {
        let fixture = fixture.await;
        for need in law.needs {
            assert!(
                need.is_offered_by(&fixture.store()),
                "{name}: the store does not offer {need}; name it in laws!(.., without [{need}])"
            );
        }
        law.check(&*fixture, Duration::from_secs(60)).await
    });
    if let Err(violation) = outcome {
        panic!("{name}: {}\n{violation}", law.statement());
    }
}

fn offers(capability: Capability, fixture: Making<'_>) -> bool {
    runtime().block_on(async { capability.is_offered_by(&fixture.await.store()) })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap_or_else(|error| panic!("cannot make a runtime for a law: {error}"))
}
