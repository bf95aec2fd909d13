use std::fmt;
use std::future::{Ready, poll_fn, ready};
use std::marker::PhantomData;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use super::TowerViolation;

/// A service that fails at one stage, with responses of type `R`.
#[derive(Debug)]
pub struct Failing<R> {
    stage: Stage,
    response: PhantomData<fn() -> R>,
}

/// The stage at which a [`Failing`] service fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// In `poll_ready`.
    Readiness,
    /// In the future of `call`.
    Call,
}

/// The error of a [`Failing`] service, with the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure(pub Stage);

impl<R> Failing<R> {
    /// Makes a service that fails at `stage`.
    pub fn at(stage: Stage) -> Self {
        Self {
            stage,
            response: PhantomData,
        }
    }
}

/// Returns the violations of `layer`, if it hides errors of the inner service.
///
/// `request` makes requests that the layer passes on. The error type of the layer's service must be that of
/// the inner service.
pub async fn check_errors<L, Request, R>(
    layer: &L,
    request: impl Fn() -> Request,
) -> Vec<TowerViolation>
where
    L: Layer<Failing<R>>,
    L::Service: Service<Request, Error = Failure>,
{
    let mut violations = Vec::new();
    let mut unready = layer.layer(Failing::at(Stage::Readiness));
    if readied(&mut unready).await != Err(Failure(Stage::Readiness)) {
        violations.push(TowerViolation::HidReadinessError);
    }
    let mut failing = layer.layer(Failing::at(Stage::Call));
    let error = match readied(&mut failing).await {
        Ok(()) => failing.call(request()).await.err(),
        Err(error) => Some(error),
    };
    if error != Some(Failure(Stage::Call)) {
        violations.push(TowerViolation::HidCallError);
    }
    violations
}

async fn readied<S, Request>(service: &mut S) -> Result<(), S::Error>
where
    S: Service<Request>,
{
    poll_fn(|cx| service.poll_ready(cx)).await
}

impl<R> Clone for Failing<R> {
    fn clone(&self) -> Self {
        Self::at(self.stage)
    }
}

impl<Request, R> Service<Request> for Failing<R> {
    type Response = R;
    type Error = Failure;
    type Future = Ready<Result<R, Failure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(match self.stage {
            Stage::Readiness => Err(Failure(Stage::Readiness)),
            Stage::Call => Ok(()),
        })
    }

    fn call(&mut self, _: Request) -> Self::Future {
        ready(Err(Failure(self.stage)))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Stage::Readiness => "the failing service is not ready",
            Stage::Call => "the failing service does not answer",
        })
    }
}

impl std::error::Error for Failure {}
