use std::io::Write;
use std::sync::Arc;

use ::redis::{Cmd, RedisWrite, Value};
use larder_store::{Args, Call, Clock, Effect, Error, ErrorKind, Form, Key, Result, Script, Wire};

use crate::connection::Repeat;
use crate::script::{Named, Prepared, Scripts};
use crate::virtual_time::DEADLINES;
use crate::{classify, wire};

/// One call of a program, ready to be sent.
pub(crate) struct Step<'a> {
    key: &'a Key,
    parts: &'static [&'static str],
    script: &'static Script,
    prepared: Arc<Prepared>,
    args: Args,
    /// The time of a virtual clock, in microseconds.
    now: Option<i64>,
}

impl<'a> Step<'a> {
    pub(crate) fn new(
        scripts: &Scripts,
        clock: Option<&impl Clock>,
        key: &'a Key,
        call: &dyn Call,
    ) -> Result<Self> {
        key.require(Form::Record, "run")?;
        let mut args = Args::new();
        call.args(&mut args);
        args.check()?;
        Ok(Self {
            key,
            parts: call.parts(),
            script: call.script(),
            prepared: scripts.get(call.script()),
            args,
            now: clock.map(|clock| clock.now().as_micros()),
        })
    }

    pub(crate) fn key(&self) -> &Key {
        self.key
    }

    pub(crate) fn repeat(&self) -> Repeat {
        match self.script.effect() {
            Effect::Read | Effect::Idempotent => Repeat::Safe,
            Effect::Once => Repeat::Never,
        }
    }

    pub(crate) fn is_same_script(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.prepared, &other.prepared)
    }

    /// The command that runs the program.
    pub(crate) fn command(&self, named: Named) -> Cmd {
        let extra = usize::from(self.now.is_some());
        let keys = self.parts.len() + extra;
        let room = keys * (self.key.as_bytes().len() + 33);
        let room = room + self.args.iter().map(<[u8]>::len).sum::<usize>() + extra * 20;
        let mut cmd = self.prepared.call(named, keys, room);
        for part in self.parts {
            write_key(&mut cmd, self.key, part);
        }
        if self.now.is_some() {
            write_key(&mut cmd, self.key, DEADLINES);
        }
        for argument in self.args.iter() {
            cmd.arg(argument);
        }
        if let Some(now) = self.now {
            cmd.arg(now);
        }
        cmd
    }

    /// The command that comes before it in virtual time.
    pub(crate) fn expiry(&self, named: Named) -> Option<Cmd> {
        let now = self.now?;
        Some(crate::virtual_time::expire(
            self.key, self.parts, now, named,
        ))
    }

    /// What the server answered.
    ///
    /// # Errors
    /// A refusal where the server did not let the script start, or stopped it with a code that
    /// says so: programs check before they write. Any other error may have come after a write.
    pub(crate) fn answer(&self, value: Value) -> Result<Wire> {
        let error = match value {
            Value::ServerError(error) => error,
            value => return wire::wire(value),
        };
        if let Some(error) = classify::known("run", &error) {
            return Err(error);
        }
        let name = self.prepared.name();
        let details = error.details().unwrap_or_default();
        let text = if error.code() == "NOTTL" {
            format!("program '{name}' left a key of its record without a TTL")
        } else if details.starts_with("Error compiling script") {
            // The message quotes the script, which is a constant, and nothing that was sent.
            format!("program '{name}' does not compile: {details}")
        } else {
            match self.prepared.line(&error) {
                Some(line) => format!("program '{name}' stopped in line {line} of its Lua"),
                None => format!("program '{name}' stopped with an error"),
            }
        };
        Err(Error::new("run", ErrorKind::MayHaveRun, text))
    }
}

/// Adds the physical key of one part of a record: the key itself, or the key and the part.
pub(crate) fn write_key(cmd: &mut Cmd, key: &Key, part: &str) {
    let mut argument = cmd.writer_for_next_arg();
    // Writing to memory does not fail.
    let _ = argument.write_all(key.as_bytes());
    if !part.is_empty() {
        let _ = argument.write_all(b":");
        let _ = argument.write_all(part.as_bytes());
    }
}
