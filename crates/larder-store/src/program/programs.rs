use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;

use super::call::check_kind;
use super::{Call, Inspection, Program, Record, Run};
use crate::{Key, Result, Timestamp};

/// Several calls, each with the key of its record.
pub type Calls<'a> = Vec<(&'a Key, &'a mut (dyn Call + 'a))>;

/// Runs [`Program`]s: atomic steps over one record each.
///
/// Callers use the typed [`run`](#method.run), [`run_each`](#method.run_each),
/// [`run_many`](#method.run_many) and [`inspect`](#method.inspect); the methods of the trait are for stores and decorators.
///
/// # Implementing
/// Run each step alone on its record. If a step creates a record and there is no room, change nothing and return
/// [`Refusal::Full`](crate::Refusal::Full). `call_many` keeps the order of its calls on one record. After a step
/// whose call [wakes](Call::wakes), wake the waiters of the record.
#[async_trait]
pub trait Programs: Send + Sync {
    /// Runs the step if it need not wait.
    ///
    /// Otherwise returns pending, with nothing done.
    fn call_now(&self, key: &Key, call: &mut dyn Call) -> Poll<Result<()>> {
        let _ = (key, call);
        Poll::Pending
    }

    /// Returns the time that a step would see now, if it is known without a round trip.
    ///
    /// In-process stores and test clocks know it. Default: None, for the clock of another machine. A decorator
    /// passes it on.
    fn now(&self) -> Option<Timestamp> {
        None
    }

    /// Returns the longest time that a call takes, if the store enforces one.
    ///
    /// Callers then need no timer of their own. Default: None. A decorator passes it on, unless it waits itself.
    fn timeout(&self) -> Option<Duration> {
        None
    }

    /// Runs one step. One round trip.
    async fn call(&self, key: &Key, call: &mut dyn Call) -> Result<()>;

    /// Runs several steps concurrently. One round trip per node.
    ///
    /// Returns a result for each. Each step is atomic, but not all of them together.
    async fn call_many<'a>(&self, calls: Calls<'a>) -> Vec<Result<()>>;
}

impl dyn Programs + '_ {
    /// Runs `program` on the record at `key`. One round trip, none in process.
    ///
    /// In process it also allocates nothing once the record exists.
    ///
    /// # Errors
    /// Those of the store; [`Refusal::WrongType`](crate::Refusal::WrongType) if the key is not of the record's
    /// kind. After [`ErrorKind::MayHaveRun`](crate::ErrorKind::MayHaveRun) the step may have run once; it has
    /// never run twice, unless its script declares that a second run changes nothing.
    ///
    /// # Cancellation
    /// A dropped call may or may not have run.
    pub async fn run<P: Program>(&self, key: &Key, program: &P) -> Result<P::Reply> {
        match self.run_now(key, program) {
            Poll::Ready(reply) => reply,
            Poll::Pending => self.run_later(key, program).await,
        }
    }

    async fn run_later<P: Program>(&self, key: &Key, program: &P) -> Result<P::Reply> {
        let mut run = Run::new(program);
        let done = self.call(key, &mut run).await;
        run.reply(done)
    }

    /// Runs `program` if it need not wait.
    ///
    /// Otherwise returns pending, with nothing done.
    ///
    /// # Errors
    /// Those of [`run`](#method.run).
    #[inline]
    pub fn run_now<P: Program>(&self, key: &Key, program: &P) -> Poll<Result<P::Reply>> {
        if let Err(error) = check_kind(key, P::Record::KIND) {
            return Poll::Ready(Err(error));
        }
        let mut run = Run::new(program);
        let done = self.call_now(key, &mut run);
        run.reply_now(done)
    }

    /// Does the same as [`run_now`](#method.run_now), and returns the time that the step saw.
    ///
    /// So the caller need not read the clock. The time is None if the step did not run in this process.
    ///
    /// # Errors
    /// Those of [`run`](#method.run).
    #[inline]
    pub fn run_timed_now<P: Program>(
        &self,
        key: &Key,
        program: &P,
    ) -> Poll<Result<(P::Reply, Option<Timestamp>)>> {
        if let Err(error) = check_kind(key, P::Record::KIND) {
            return Poll::Ready(Err(error));
        }
        let mut run = Run::new(program);
        let done = self.call_now(key, &mut run);
        let stepped_at = run.stepped_at();
        run.reply_now(done).map_ok(|reply| (reply, stepped_at))
    }

    /// Runs programs of several types concurrently. One round trip per node.
    ///
    /// Each runs on its own record. Returns a result for each, in their order. In process it takes
    /// no round trip, and no allocation once the records exist.
    ///
    /// ```
    /// # use larder_store::program::{Program, Programs, Run};
    /// # use larder_store::{Key, Result};
    /// async fn both<A: Program, B: Program>(
    ///     programs: &dyn Programs,
    ///     (one, a): (&Key, &A),
    ///     (other, b): (&Key, &B),
    /// ) -> (Result<A::Reply>, Result<B::Reply>) {
    ///     let (mut a, mut b) = (Run::new(a), Run::new(b));
    ///     let [first, second] = programs.run_each([(one, &mut a), (other, &mut b)]).await;
    ///     (a.reply(first), b.reply(second))
    /// }
    /// ```
    ///
    /// # Errors
    /// Each result has those of [`run`](#method.run).
    ///
    /// # Cancellation
    /// Each of the steps may or may not have run.
    pub async fn run_each<const N: usize>(
        &self,
        mut runs: [(&Key, &mut (dyn Call + '_)); N],
    ) -> [Result<()>; N] {
        let mut done = [const { None }; N];
        for ((key, call), done) in runs.iter_mut().zip(&mut done) {
            *done = check_kind(key, call.kind()).err().map(Err);
        }
        for ((key, call), done) in runs.iter_mut().zip(&mut done) {
            if done.is_none() {
                match self.call_now(key, &mut **call) {
                    Poll::Ready(now) => *done = Some(now),
                    // The order of the steps on one record must be kept, so the remaining steps wait too.
                    Poll::Pending => break,
                }
            }
        }
        if done.iter().any(Option::is_none) {
            let calls: Calls<'_> = runs
                .iter_mut()
                .zip(&done)
                .filter(|(_, done)| done.is_none())
                .map(|((key, call), _)| (*key, &mut **call as _))
                .collect();
            let mut answers = self.call_many(calls).await.into_iter();
            for done in done.iter_mut().filter(|done| done.is_none()) {
                *done = answers.next();
            }
        }
        // If a store returned too few answers, the reply is missing too, which is reported there.
        done.map(|done| done.unwrap_or(Ok(())))
    }

    /// Runs each program on its record, concurrently. One round trip per node.
    ///
    /// Returns a result for each, in their order.
    ///
    /// # Cancellation
    /// Each of the steps may or may not have run.
    pub async fn run_many<P: Program>(&self, steps: &[(Key, P)]) -> Vec<Result<P::Reply>> {
        let mut typed: Vec<_> = steps.iter().map(|(_, step)| Run::new(step)).collect();
        let mut refused: Vec<_> = steps
            .iter()
            .zip(&typed)
            .map(|((key, _), call)| check_kind(key, call.kind()).err())
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
                None => call.reply(done.next().unwrap_or(Ok(()))),
            })
            .collect()
    }

    /// Shows the record at `key` to people and tools, unchanged. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn inspect<R: Record>(&self, key: &Key) -> Result<Inspection> {
        self.run(key, &R::Inspect::default()).await
    }
}
