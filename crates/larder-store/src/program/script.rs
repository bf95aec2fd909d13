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
    command: Option<&'static [&'static str]>,
}

impl Script {
    /// The script `lua`, called `name` in errors and metrics.
    pub const fn new(name: &'static str, effect: Effect, lua: &'static str) -> Self {
        Self {
            name,
            effect,
            lua,
            runs_when_full: matches!(effect, Effect::Read),
            command: None,
        }
    }

    /// The same script, which does no more than `command`: one command of Redis that reads, without
    /// its key. `&["HMGET", "a", "b"]` stands for `redis.call('HMGET', KEYS[1], 'a', 'b')`.
    ///
    /// A store by the server's clock sends the command in place of the script: that costs the
    /// server half as much. The program takes no arguments, its record has one key, and both give
    /// the same answer.
    ///
    /// # Panics
    /// Where the script does not declare that it only reads, or the command is empty; in a `const`
    /// that is a compile error.
    #[must_use]
    pub const fn as_command(mut self, command: &'static [&'static str]) -> Self {
        assert!(
            matches!(self.effect, Effect::Read),
            "what a command stands for only reads"
        );
        assert!(!command.is_empty(), "a command has a name");
        self.command = Some(command);
        self
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

    /// The command that does the same, without its key.
    pub const fn command(&self) -> Option<&'static [&'static str]> {
        self.command
    }
}
