//! Checks tower layers for violations of tower's contract.
//!
//! A layer must call the instance that was polled ready, and pass on the errors of the inner
//! service.
//!
//! ```
//! use std::future::poll_fn;
//! use larder_test::service::{Failing, Failure, ReadyProbe, Stage, TowerViolation};
//! use tower_service::Service;
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let mut probe = ReadyProbe::new(Failing::<()>::at(Stage::Call));
//! let watch = probe.watch();
//!
//! // A layer must not do this: wait for one instance, and call another.
//! poll_fn(|cx| Service::<()>::poll_ready(&mut probe, cx)).await?;
//! let _ = probe.clone().call(()).await;
//!
//! assert_eq!(watch.violations(), [TowerViolation::CalledUnready]);
//! # Ok::<(), Failure>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod failing;
mod ready;

pub use failing::{Failing, Failure, Stage, check_errors};
pub use ready::{ReadyProbe, Watch};

/// A violation of tower's contract by a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TowerViolation {
    /// It called an instance that had not been polled ready, usually a new clone.
    CalledUnready,
    /// Its `poll_ready` did not return the error of the inner service.
    HidReadinessError,
    /// Its `call` did not return the error of the inner service.
    HidCallError,
}

#[cfg(test)]
mod tests;
