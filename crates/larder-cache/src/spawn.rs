use std::future::Future;
use std::pin::Pin;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tracing::Instrument;

/// A task of any type.
///
/// Boxed, so that the runtime's part of a task is compiled once, and not for each type of value.
type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Spawns a task that outlives the call that began it.
pub(crate) fn spawn(
    runtime: &Handle,
    task: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    let task: Task = Box::pin(task);
    runtime.spawn(task)
}

/// Spawns a task in the span of its caller.
pub(crate) fn spawn_in_span(runtime: &Handle, task: impl Future<Output = ()> + Send + 'static) {
    let task: Task = Box::pin(task);
    runtime.spawn(task.in_current_span());
}
