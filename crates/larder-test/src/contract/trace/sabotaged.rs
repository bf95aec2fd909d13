use std::sync::Arc;

use async_trait::async_trait;
use larder_store::program::{Args, Call, Calls, Cell, Programs, Script, Wire};
use larder_store::{Key, Kind, Result, Timestamp};

/// Programs with a wrong script, to prove that a trace or a law can fail.
///
/// It replaces every script that has the name of the wrong one. All others run unchanged.
pub struct Sabotaged {
    inner: Arc<dyn Programs>,
    script: &'static Script,
}

impl Sabotaged {
    /// Wraps `inner`, with `broken` in place of the script of the same name.
    pub fn new(inner: Arc<dyn Programs>, broken: Script) -> Self {
        Self {
            inner,
            // A backend may identify a script by its address, so this one must live as long as the tests.
            script: Box::leak(Box::new(broken)),
        }
    }
}

#[async_trait]
impl Programs for Sabotaged {
    fn now(&self) -> Option<Timestamp> {
        self.inner.now()
    }

    async fn call(&self, key: &Key, call: &mut dyn Call) -> Result<()> {
        if call.script().name() == self.script.name() {
            let script = self.script;
            return self.inner.call(key, &mut Swapped { call, script }).await;
        }
        self.inner.call(key, call).await
    }

    async fn call_many<'a>(&self, calls: Calls<'a>) -> Vec<Result<()>> {
        let mut results = Vec::with_capacity(calls.len());
        for (key, call) in calls {
            results.push(self.call(key, call).await);
        }
        results
    }
}

struct Swapped<'a> {
    call: &'a mut dyn Call,
    script: &'static Script,
}

impl Call for Swapped<'_> {
    fn kind(&self) -> Kind {
        self.call.kind()
    }

    fn parts(&self) -> &'static [&'static str] {
        self.call.parts()
    }

    fn script(&self) -> &'static Script {
        self.script
    }

    fn args(&self, args: &mut Args) {
        self.call.args(args);
    }

    fn step(&mut self, cell: &mut Cell, now: Timestamp) -> Result<()> {
        self.call.step(cell, now)
    }

    fn wakes(&self) -> bool {
        self.call.wakes()
    }

    fn reply(&mut self, wire: Wire) -> Result<()> {
        self.call.reply(wire)
    }
}
