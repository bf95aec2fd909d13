use std::io::Write;
use std::sync::Arc;

use ::redis::{Cmd, RedisWrite, Value};
use larder_store::{Args, Call, Effect, Error, ErrorKind, Form, Key, Result, Wire};

use crate::connection::Repeat;
use crate::script::{Named, Prepared, Scripts};
use crate::virtual_time::{self, DEADLINES};
use crate::{classify, wire};

/// One call of a program, ready to be sent.
pub(crate) struct Step<'a> {
    key: &'a Key,
    parts: &'static [&'static str],
    effect: Effect,
    script: Arc<Prepared>,
    by_hash: Cmd,
    /// The time of a virtual clock, in microseconds.
    now: Option<i64>,
}

impl<'a> Step<'a> {
    pub(crate) fn new(
        scripts: &Scripts,
        now: Option<i64>,
        key: &'a Key,
        call: &dyn Call,
    ) -> Result<Self> {
        key.require(Form::Record, "run")?;
        let mut args = Args::new();
        call.args(&mut args);
        args.check()?;
        let (parts, script) = (call.parts(), call.script());
        let prepared = scripts.get(script);
        Ok(Self {
            key,
            parts,
            effect: script.effect(),
            by_hash: command(&prepared, key, parts, &args, now),
            script: prepared,
            now,
        })
    }

    pub(crate) fn key(&self) -> &Key {
        self.key
    }

    pub(crate) fn repeat(&self) -> Repeat {
        match self.effect {
            Effect::Read | Effect::Idempotent => Repeat::Safe,
            Effect::Once => Repeat::Never,
        }
    }

    /// The command that runs the program, by the hash of its script.
    pub(crate) fn by_hash(&self) -> &Cmd {
        &self.by_hash
    }

    /// The same command with the whole script.
    pub(crate) fn by_text(&self) -> Cmd {
        self.script.by_text(&self.by_hash)
    }

    /// The command that comes before it in virtual time.
    pub(crate) fn expiry(&self) -> Option<Cmd> {
        Some(virtual_time::expire(self.key, self.parts, self.now?))
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
        let name = self.script.name();
        let details = error.details().unwrap_or_default();
        let text = if error.code() == "NOTTL" {
            format!("program '{name}' left a key of its record without a TTL")
        } else if details.starts_with("Error compiling script") {
            // The message quotes the script, which is a constant, and nothing that was sent.
            format!("program '{name}' does not compile: {details}")
        } else {
            match self.script.line(&error) {
                Some(line) => format!("program '{name}' stopped in line {line} of its Lua"),
                None => format!("program '{name}' stopped with an error"),
            }
        };
        Err(Error::new("run", ErrorKind::MayHaveRun, text))
    }
}

/// Keys first, then arguments; in virtual time one more of each, which the prelude takes away.
fn command(script: &Prepared, key: &Key, parts: &[&str], args: &Args, now: Option<i64>) -> Cmd {
    let keys = parts.len() + usize::from(now.is_some());
    let room = args.iter().map(|arg| arg.len()).sum::<usize>() + 20;
    let room = room + keys * (key.as_bytes().len() + LONGEST_PART);
    let mut cmd = script.call(Named::ByHash, keys, args.len() + 1, room);
    for part in parts {
        write_key(&mut cmd, key, part);
    }
    if now.is_some() {
        write_key(&mut cmd, key, DEADLINES);
    }
    for arg in args.iter() {
        cmd.arg(arg);
    }
    if let Some(now) = now {
        cmd.arg(now);
    }
    cmd
}

/// A colon and a name.
const LONGEST_PART: usize = 33;

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
