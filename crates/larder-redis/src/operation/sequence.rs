use ::redis::{Cmd, Pipeline, Value};
use larder_store::Result;

use crate::node::{Access, Confirmation};

/// Commands that are sent together, and what each of them may write.
#[derive(Default)]
pub(crate) struct Sequence {
    pipeline: Pipeline,
    accesses: Vec<Access>,
}

impl Sequence {
    pub(crate) fn with_capacity(commands: usize) -> Self {
        Self {
            pipeline: Pipeline::with_capacity(commands),
            accesses: Vec::with_capacity(commands),
        }
    }

    pub(crate) fn add(&mut self, command: Cmd, access: Access) {
        self.pipeline.add_command(command);
        self.accesses.push(access);
    }

    /// Adds the wait for replicas, which is not one of its commands.
    pub(super) fn wait_for(&mut self, replicas: Confirmation) {
        self.pipeline.add_command(replicas.wait());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pipeline.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Cmd, Access)> {
        self.pipeline.cmd_iter().zip(self.accesses.iter().copied())
    }

    pub(super) fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Returns whether any of them may write.
    pub(super) fn may_write(&self) -> bool {
        self.accesses.iter().any(|access| *access != Access::Read)
    }

    /// Returns those answers that replicas must confirm.
    pub(super) fn to_confirm<'a>(
        &self,
        answers: &'a mut [Result<Value>],
    ) -> Vec<&'a mut Result<Value>> {
        let answers = answers.iter_mut().zip(&self.accesses);
        let written = answers.filter(|(answer, access)| match answer {
            Ok(answer) => access.may_have_written(answer),
            Err(_) => false,
        });
        written.map(|(answer, _)| answer).collect()
    }
}
