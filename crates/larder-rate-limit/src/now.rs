//! Runs a program if the answer is there at once, and otherwise does nothing at all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use async_trait::async_trait;
use futures_util::FutureExt;
use larder_store::{Call, Calls, Error, ErrorKind, Key, Program, Programs, Result};

/// The answer of `program`, if that takes no waiting; pending, with nothing done, if it does.
pub(crate) fn run_now<P: Program>(
    programs: &dyn Programs,
    key: &Key,
    program: &P,
) -> Poll<Result<P::Reply>> {
    let now = Now {
        programs,
        would_wait: AtomicBool::new(false),
    };
    let answer = (&now as &dyn Programs).run(key, program).now_or_never();
    match answer {
        Some(answer) if !now.would_wait.into_inner() => Poll::Ready(answer),
        _ => Poll::Pending,
    }
}

/// The inner programs, of which only the ones that answer at once are ever started.
struct Now<'a> {
    programs: &'a dyn Programs,
    would_wait: AtomicBool,
}

#[async_trait]
impl Programs for Now<'_> {
    fn call_now(&self, key: &Key, call: &mut dyn Call) -> Poll<Result<()>> {
        self.programs.call_now(key, call)
    }

    async fn call(&self, _: &Key, _: &mut dyn Call) -> Result<()> {
        self.would_wait.store(true, Ordering::Relaxed);
        Err(waits())
    }

    async fn call_many<'a>(&self, calls: Calls<'a>) -> Vec<Result<()>> {
        self.would_wait.store(true, Ordering::Relaxed);
        calls.iter().map(|_| Err(waits())).collect()
    }
}

/// Never seen by anybody: the answer is pending instead.
fn waits() -> Error {
    Error::new("run", ErrorKind::NotSent, "")
}
