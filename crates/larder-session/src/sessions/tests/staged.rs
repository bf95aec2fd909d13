//! Programs of which one waits, fails or is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use async_trait::async_trait;
use larder_store::program::{Call, Calls, Programs};
use larder_store::{Error, ErrorKind, Key, Result, Timestamp};
use tokio::sync::Notify;

use crate::Sessions;
use crate::session_record::SessionRecord;
use crate::token::DeviceId;

/// What becomes of the calls of one script.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// They wait until the test opens the gate, and are done then.
    Wait,
    /// The call with this number, from 0, waits until the test opens the gate, and is done then.
    WaitAt(usize),
    /// They are done, and their answers wait until the test opens the gate.
    WaitAfterwards,
    /// They fail, and nothing is done.
    Fail,
    /// The call with this number, from 0, fails, and nothing is done.
    FailAt(usize),
    /// Those for this session fail, and nothing is done.
    FailFor(DeviceId),
    /// Nothing is done, and nobody knows that.
    Lose,
    /// They are done, and their answers are lost.
    LoseAnswer,
    /// They are done, and the answer to the call with this number, from 0, is lost.
    LoseAnswerAt(usize),
    /// They are done twice, as after an answer that was lost.
    Repeat,
    /// They are counted.
    Count,
}

pub(super) struct Staged {
    inner: Arc<dyn Programs>,
    script: &'static str,
    stage: Stage,
    pub(super) arrived: Notify,
    pub(super) open: Notify,
    pub(super) calls: AtomicUsize,
}

impl Staged {
    /// Puts the script on a stage for what is called through these `sessions`.
    pub(super) fn on(sessions: &mut Sessions, script: &'static str, stage: Stage) -> Arc<Self> {
        let staged = Arc::new(Self {
            inner: sessions.programs.clone(),
            script,
            stage,
            arrived: Notify::new(),
            open: Notify::new(),
            calls: AtomicUsize::new(0),
        });
        sessions.programs = staged.clone();
        staged
    }
}

#[async_trait]
impl Programs for Staged {
    fn call_now(&self, key: &Key, call: &mut dyn Call) -> Poll<Result<()>> {
        if call.script().name() == self.script {
            return Poll::Pending;
        }
        self.inner.call_now(key, call)
    }

    fn now(&self) -> Option<Timestamp> {
        self.inner.now()
    }

    async fn call(&self, key: &Key, call: &mut dyn Call) -> Result<()> {
        if call.script().name() != self.script {
            return self.inner.call(key, call).await;
        }
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        if [Stage::Wait, Stage::WaitAt(number)].contains(&self.stage) {
            self.arrived.notify_one();
            self.open.notified().await;
        }
        let failed = |kind| Err(Error::new("run", kind, "as the test wants it"));
        match self.stage {
            Stage::Fail => return failed(ErrorKind::NotSent),
            Stage::FailAt(at) if at == number => return failed(ErrorKind::NotSent),
            Stage::FailFor(session) if *key == SessionRecord::key(session) => {
                return failed(ErrorKind::NotSent);
            }
            Stage::Lose => return failed(ErrorKind::MayHaveRun),
            Stage::Repeat => self.inner.call(key, call).await?,
            _ => {}
        }
        self.inner.call(key, call).await?;
        match self.stage {
            Stage::WaitAfterwards => {
                self.arrived.notify_one();
                self.open.notified().await;
                Ok(())
            }
            Stage::LoseAnswer => failed(ErrorKind::MayHaveRun),
            Stage::LoseAnswerAt(at) if at == number => failed(ErrorKind::MayHaveRun),
            _ => Ok(()),
        }
    }

    async fn call_many<'a>(&self, calls: Calls<'a>) -> Vec<Result<()>> {
        let mut done = Vec::new();
        for (key, call) in calls {
            done.push(self.call(key, call).await);
        }
        done
    }
}
