use std::task::Poll;

use async_trait::async_trait;

use super::call::{Typed, check_kind};
use super::{Call, Inspection, Program, Record};
use crate::{Key, Result};

/// Several calls, each with the key of its record.
pub type Calls<'a> = Vec<(&'a Key, &'a mut (dyn Call + 'a))>;

/// The capability to run [`Program`]s: one atomic step over one record.
///
/// Callers use the typed [`run`](#method.run), [`run_many`](#method.run_many) and
/// [`inspect`](#method.inspect); the methods of the trait are for stores and decorators.
///
/// # Implementing
/// Run the step as if nothing else ran on that record. Refuse, with
/// [`Refusal::Full`](crate::Refusal::Full) and nothing changed, a step that makes a record where
/// there is no room. `call_many` keeps the order of its calls on one record.
#[async_trait]
pub trait Programs: Send + Sync {
    /// Runs the step if that takes no waiting; pending, with nothing done, if it does.
    fn call_now(&self, key: &Key, call: &mut dyn Call) -> Poll<Result<()>> {
        let _ = (key, call);
        Poll::Pending
    }

    /// Runs the step.
    async fn call(&self, key: &Key, call: &mut dyn Call) -> Result<()>;

    /// Runs the steps side by side, with a result for each. They are atomic each, not together.
    async fn call_many<'a>(&self, calls: Calls<'a>) -> Vec<Result<()>>;
}

impl dyn Programs + '_ {
    /// Runs `program` on the record at `key`: one round trip, none in process, where it also takes
    /// no allocation once the record exists.
    ///
    /// # Errors
    /// As the store gives them; [`Refusal::WrongType`](crate::Refusal::WrongType) where the key is
    /// not of the record's kind. After
    /// [`ErrorKind::MayHaveRun`](crate::ErrorKind::MayHaveRun) the step may have run once; it has
    /// never run twice, unless it declared that twice is the same as once.
    ///
    /// # Cancellation
    /// A dropped call may or may not have run.
    pub async fn run<P: Program>(&self, key: &Key, program: &P) -> Result<P::Reply> {
        match self.run_now(key, program) {
            Poll::Ready(reply) => reply,
            Poll::Pending => {
                let mut call = Typed::new(program);
                self.call(key, &mut call).await?;
                call.into_reply()
            }
        }
    }

    /// Runs `program` if that takes no waiting; pending, with nothing done, if it does. For layers
    /// that would box a future only to find the answer ready.
    ///
    /// # Errors
    /// As [`run`](#method.run) gives them.
    pub fn run_now<P: Program>(&self, key: &Key, program: &P) -> Poll<Result<P::Reply>> {
        let mut call = Typed::new(program);
        if let Err(error) = check_kind(key, &call) {
            return Poll::Ready(Err(error));
        }
        self.call_now(key, &mut call)
            .map(|done| done.and_then(|()| call.into_reply()))
    }

    /// Runs each program on its record, side by side, with a result for each: one round trip for
    /// each node. No step is atomic over two records; compensate what has to be undone.
    ///
    /// # Cancellation
    /// Each of the steps may or may not have run.
    pub async fn run_many<P: Program>(&self, steps: &[(Key, P)]) -> Vec<Result<P::Reply>> {
        let mut typed: Vec<_> = steps.iter().map(|(_, step)| Typed::new(step)).collect();
        let mut refused: Vec<_> = steps
            .iter()
            .zip(&typed)
            .map(|((key, _), call)| check_kind(key, call).err())
            .collect();
        let calls: Calls<'_> = steps
            .iter()
            .zip(&mut typed)
            .zip(&refused)
            .filter(|(_, refused)| refused.is_none())
            .map(|(((key, _), call), _)| (key, call as _))
            .collect();
        let mut done = self.call_many(calls).await.into_iter();
        typed
            .into_iter()
            .zip(&mut refused)
            .map(|(call, refused)| match refused.take() {
                Some(error) => Err(error),
                None => done
                    .next()
                    .unwrap_or(Ok(()))
                    .and_then(|()| call.into_reply()),
            })
            .collect()
    }

    /// What the record at `key` holds, for people and tools: one round trip, and no change.
    ///
    /// # Errors
    /// As the store gives them.
    pub async fn inspect<R: Record>(&self, key: &Key) -> Result<Inspection> {
        self.run(key, &R::Inspect::default()).await
    }
}
