/// What a second run does, which decides whether a run is repeated after its answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing. It may be retried, and the server rejects any write from it.
    Read,
    /// A second run changes nothing and gives the same answer, whatever others write.
    ///
    /// It may be retried.
    Idempotent,
    /// A second run would do more. It is never sent again after its answer was lost.
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
    /// Makes a script from `lua`; errors and spans call it `name`.
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

    /// Names one reading Redis command that does the same as the script, without its key.
    ///
    /// A store that uses the server's clock sends the command instead of the script, which costs the
    /// server half as much. The program must take no arguments, the command must read the key of the
    /// record itself, and both must give the same answer. Several `GET` programs that run concurrently
    /// on a single server become one `MGET`; a key of another Redis type then reads as absent.
    ///
    /// # Panics
    /// If the script does not declare that it only reads, or the command is empty; in a `const`
    /// that is a compile error.
    #[must_use]
    pub const fn as_command(mut self, command: &'static [&'static str]) -> Self {
        assert!(
            matches!(self.effect, Effect::Read),
            "only a script that reads can be replaced by a command"
        );
        assert!(!command.is_empty(), "a command has a name");
        self.command = Some(command);
        self
    }

    /// Does the same as [`as_command`](Self::as_command), for a command that reads the record's
    /// `part`.
    ///
    /// # Panics
    /// As `as_command` does.
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
    /// A script that only reads always may.
    pub const fn is_run_when_full(&self) -> bool {
        self.runs_when_full
    }

    /// Returns the command that does the same as the script, without its key.
    pub const fn command(&self) -> Option<&'static [&'static str]> {
        self.command
    }

    /// Returns the part of the record whose key the command reads.
    pub const fn command_part(&self) -> &'static str {
        self.command_part
    }
}
