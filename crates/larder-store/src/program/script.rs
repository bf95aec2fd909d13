/// The effect of a repeated run, which decides whether a lost answer is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing. It may be retried, and the server refuses it any write.
    Read,
    /// A second run changes nothing and gives the same answer, whatever others write.
    ///
    /// It may be retried.
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
    command_part: &'static str,
}

impl Script {
    /// Makes a script from `lua`; errors and metrics call it `name`.
    pub const fn new(name: &'static str, effect: Effect, lua: &'static str) -> Self {
        Self {
            name,
            effect,
            lua,
            runs_when_full: matches!(effect, Effect::Read),
            command: None,
            command_part: "",
        }
    }

    /// Replaces the script by one reading Redis command that does the same, without its key.
    ///
    /// A store by the server's clock sends the command in place of the script: that costs the
    /// server half as much. The program takes no arguments, the command reads the key of the record
    /// itself, and both give the same answer. Several programs that are `GET`s and run side by side
    /// are one `MGET` where their keys share a server; a key of another Redis type then reads as
    /// absent.
    ///
    /// # Panics
    /// If the script does not declare that it only reads, or the command is empty; in a `const`
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

    /// [`as_command`](Self::as_command), for a command that reads the key of the record's part `part`.
    ///
    /// # Panics
    /// As `as_command`.
    #[must_use]
    pub const fn as_command_on(self, part: &'static str, command: &'static [&'static str]) -> Self {
        let mut script = self.as_command(command);
        script.command_part = part;
        script
    }

    /// Allows the script to run when the server is out of memory.
    ///
    /// This is for scripts that free memory, such as a release or a removal.
    #[must_use]
    pub const fn runs_when_full(mut self) -> Self {
        self.runs_when_full = true;
        self
    }

    /// Returns its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the effect of a repeated run.
    pub const fn effect(&self) -> Effect {
        self.effect
    }

    /// Returns the Lua, without the prelude.
    pub const fn lua(&self) -> &'static str {
        self.lua
    }

    /// Returns whether it may run when the server is out of memory.
    ///
    /// What only reads always may.
    pub const fn is_run_when_full(&self) -> bool {
        self.runs_when_full
    }

    /// Returns the command that does the same, without its key.
    pub const fn command(&self) -> Option<&'static [&'static str]> {
        self.command
    }

    /// Returns the part of the record whose key the command reads.
    pub const fn command_part(&self) -> &'static str {
        self.command_part
    }
}
