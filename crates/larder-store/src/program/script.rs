/// What happens when a program runs twice, which decides whether it may be sent again after its
/// answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing. It may be retried, and the server refuses it any write.
    Read,
    /// Twice is the same as once, and gives the same answer, also when others have written in
    /// between. It may be retried.
    Idempotent,
    /// Twice is not the same as once. It is never sent again after an answer was lost.
    Once,
}

/// The Lua form of a program.
#[derive(Debug)]
pub struct Script {
    name: &'static str,
    effect: Effect,
    lua: &'static str,
    runs_when_full: bool,
}

impl Script {
    /// The script `lua`, called `name` in errors and metrics.
    pub const fn new(name: &'static str, effect: Effect, lua: &'static str) -> Self {
        Self {
            name,
            effect,
            lua,
            runs_when_full: matches!(effect, Effect::Read),
        }
    }

    /// The same script, allowed to run when the server is out of memory: for what gives memory
    /// back, such as a release or a removal.
    #[must_use]
    pub const fn runs_when_full(mut self) -> Self {
        self.runs_when_full = true;
        self
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What happens when it runs twice.
    pub const fn effect(&self) -> Effect {
        self.effect
    }

    /// The Lua, without the prelude.
    pub const fn lua(&self) -> &'static str {
        self.lua
    }

    /// Whether it may run when the server is out of memory. What only reads always may.
    pub const fn is_run_when_full(&self) -> bool {
        self.runs_when_full
    }
}
