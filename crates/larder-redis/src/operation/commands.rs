use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, Pipeline, RedisResult, Value};

/// The commands that are sent together.
#[derive(Clone, Copy)]
pub(super) enum Commands<'a> {
    /// One command with one answer.
    One(&'a Cmd),
    /// Several commands with an array of as many answers.
    Many(&'a Pipeline),
}

impl Commands<'_> {
    pub(super) async fn send(self, multiplexed: &mut MultiplexedConnection) -> RedisResult<Value> {
        match self {
            Self::One(command) => multiplexed.send_packed_command(command).await,
            Self::Many(pipeline) => {
                let answers = multiplexed.send_packed_commands(pipeline, 0, pipeline.len());
                // Boxed, so that the future of a single command stays small.
                Box::pin(answers).await.map(Value::Array)
            }
        }
    }

    /// Returns the answers of its commands, from the answer to all of them.
    pub(super) fn answers(self, value: &Value) -> &[Value] {
        match (self, value) {
            (Self::Many(_), Value::Array(answers)) => answers,
            _ => std::slice::from_ref(value),
        }
    }
}
