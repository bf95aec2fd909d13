use std::fmt::Debug;

use async_trait::async_trait;
use larder_store::program::{Program, Programs};
use larder_store::{Key, Timestamp};

/// One step of a trace: a program of any type.
#[async_trait]
pub trait Step: Send + Sync {
    /// Returns the name of the step, for the history.
    fn name(&self) -> &str;

    /// Runs the step, and returns its visible result.
    async fn run(&self, programs: &dyn Programs, key: &Key, now: Timestamp) -> Observed;
}

/// The visible result of a step.
pub struct Observed {
    /// The reply, or the kind of the error, as text.
    pub shown: String,
    /// The times around which the trace should run further steps.
    pub deadlines: Vec<Timestamp>,
}

/// Makes a step that runs `program`, with a function that reads deadlines from its reply.
pub fn step<P>(
    program: P,
    deadlines: impl Fn(&P::Reply, Timestamp) -> Vec<Timestamp> + Send + Sync + 'static,
) -> Box<dyn Step>
where
    P: Program + Debug + 'static,
    P::Reply: Debug,
{
    Box::new(Typed {
        name: format!("{program:?}"),
        program,
        deadlines,
    })
}

/// Makes a step that runs `program`, with deadlines these numbers of microseconds after it.
pub fn after<P>(program: P, spans: Vec<i64>) -> Box<dyn Step>
where
    P: Program + Debug + 'static,
    P::Reply: Debug,
{
    step(program, move |_, now| {
        spans.iter().map(|span| now.plus_micros(*span)).collect()
    })
}

struct Typed<P, D> {
    name: String,
    program: P,
    deadlines: D,
}

#[async_trait]
impl<P, D> Step for Typed<P, D>
where
    P: Program + 'static,
    P::Reply: Debug,
    D: Fn(&P::Reply, Timestamp) -> Vec<Timestamp> + Send + Sync,
{
    fn name(&self) -> &str {
        &self.name
    }

    async fn run(&self, programs: &dyn Programs, key: &Key, now: Timestamp) -> Observed {
        match programs.run(key, &self.program).await {
            Ok(reply) => Observed {
                shown: format!("{reply:?}"),
                deadlines: (self.deadlines)(&reply, now),
            },
            Err(error) => Observed {
                shown: format!("{:?}", error.kind()),
                deadlines: Vec::new(),
            },
        }
    }
}
