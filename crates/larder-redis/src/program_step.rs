use std::io::Write;
use std::sync::Arc;

use ::redis::{Cmd, RedisWrite, Value};
use larder_store::program::{Args, Call, Effect, Script, Wire};
use larder_store::{Error, ErrorKind, Key, Result};

use crate::node::Access;
use crate::operation::Repeat;
use crate::script::{Named, Prepared, Scripts, VIRTUAL_EXPIRE};
use crate::waits::WAITERS;
use crate::{classify, script_answer};

/// The suffix of the key with a record's deadlines in virtual time.
///
/// No part has a `~` in its name.
const DEADLINES: &str = "~deadlines";

/// One call of a program, ready to be sent.
pub(crate) struct Step<'a> {
    key: &'a Key,
    parts: &'static [&'static str],
    effect: Effect,
    form: Payload,
    by_hash: Cmd,
    /// The time of a virtual clock, in microseconds.
    now: Option<i64>,
}

/// The commands to send.
enum Payload {
    Script(Arc<Prepared>),
    /// One command that does what this script does.
    Command(&'static Script),
}

impl<'a> Step<'a> {
    pub(crate) fn new(
        scripts: &Scripts,
        now: Option<i64>,
        key: &'a Key,
        call: &dyn Call,
    ) -> Result<Self> {
        key.require(larder_store::Content::Record, "run")?;
        let mut args = Args::new();
        call.args(&mut args);
        args.check()?;
        let (parts, script) = (call.parts(), call.script());
        let (by_hash, form) = match (script.command(), now) {
            (Some(words), None) => (
                plain(words, key, script.command_part()),
                Payload::Command(script),
            ),
            _ => {
                let prepared = scripts.get(script);
                let by_hash = command(&prepared, key, parts, &args, now);
                (by_hash, Payload::Script(prepared))
            }
        };
        Ok(Self {
            key,
            parts,
            effect: script.effect(),
            by_hash,
            form,
            now,
        })
    }

    /// Returns whether it is a plain command that needs no script.
    pub(crate) fn is_command(&self) -> bool {
        matches!(self.form, Payload::Command(_))
    }

    pub(crate) fn key(&self) -> &'a Key {
        self.key
    }

    pub(crate) fn repeat(&self) -> Repeat {
        match self.effect {
            Effect::Read => Repeat::Safe,
            Effect::Idempotent => Repeat::Idempotent,
            Effect::Once => Repeat::Never,
        }
    }

    pub(crate) fn access(&self) -> Access {
        match self.effect {
            Effect::Read => Access::Read,
            Effect::Idempotent | Effect::Once => Access::Program,
        }
    }

    /// Returns the command that runs the program by hash, or a plain command.
    pub(crate) fn by_hash(&self) -> &Cmd {
        &self.by_hash
    }

    /// Returns the same command with the whole script.
    pub(crate) fn by_text(&self) -> Cmd {
        match &self.form {
            Payload::Script(script) => script.by_text(&self.by_hash),
            Payload::Command(_) => self.by_hash.clone(),
        }
    }

    /// [`by_hash`](Self::by_hash), for a step that is sent once.
    pub(crate) fn take_command(&mut self) -> Cmd {
        std::mem::take(&mut self.by_hash)
    }

    /// Returns the command that expires keys first, in virtual time.
    pub(crate) fn expiry(&self) -> Option<Cmd> {
        Some(expire(self.key, self.parts, self.now?))
    }

    /// Returns the server's answer.
    ///
    /// # Errors
    /// A refusal if the server did not start the script, or stopped it with a code that says so: programs check
    /// before they write. Any other error may have come after a write.
    pub(crate) fn answer(&self, value: Value) -> Result<Wire> {
        let error = match value {
            Value::ServerError(error) => error,
            value => return script_answer::wire(value),
        };
        if self.effect != Effect::Read
            && let Some(error) = classify::denied_midway("run", &error)
        {
            return Err(error);
        }
        if let Some(error) = classify::known("run", &error) {
            return Err(error);
        }
        let (name, script) = match &self.form {
            Payload::Script(script) => (script.name(), Some(script)),
            Payload::Command(script) => (script.name(), None),
        };
        let details = error.details().unwrap_or_default();
        let text = if error.code() == "NOTTL" {
            format!("program '{name}' left a key of its record without a TTL")
        } else if details.starts_with("Error compiling script") {
            // The message quotes the script, which is a constant, but nothing that was sent.
            format!("program '{name}' does not compile: {details}")
        } else {
            match script.and_then(|script| script.line(&error)) {
                Some(line) => format!("program '{name}' failed in line {line} of its Lua script"),
                None => format!("program '{name}' failed"),
            }
        };
        Err(Error::new("run", ErrorKind::MayHaveRun, text))
    }
}

/// Makes the command of a step: the keys, then the arguments.
///
/// A script that wakes has one more key, and in virtual time there is one more of each: the prelude
/// takes these away.
fn command(script: &Prepared, key: &Key, parts: &[&str], args: &Args, now: Option<i64>) -> Cmd {
    let keys = parts.len() + usize::from(script.wakes()) + usize::from(now.is_some());
    let room = args.iter().map(|arg| arg.len()).sum::<usize>() + 20;
    let room = room + keys * (key.as_bytes().len() + LONGEST_PART);
    let mut cmd = script.call(Named::ByHash, keys, args.len() + 1, room);
    for part in parts {
        write_key(&mut cmd, key, part);
    }
    if script.wakes() {
        write_key(&mut cmd, key, WAITERS);
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

/// Returns a command that reads the key of a part of a record.
fn plain(command: &[&str], key: &Key, part: &str) -> Cmd {
    let room = command.iter().map(|word| word.len()).sum::<usize>() + key_length(key, part);
    let mut cmd = Cmd::with_capacity(1 + command.len(), room);
    let mut words = command.iter();
    cmd.arg(words.next());
    write_key(&mut cmd, key, part);
    for word in words {
        cmd.arg(*word);
    }
    cmd
}

/// Returns the read command that replaces a call's script, if there is one.
pub(crate) fn read_alone(key: &Key, call: &dyn Call) -> Option<Cmd> {
    let script = call.script();
    let words = script.command()?;
    let is_read = script.effect() == Effect::Read;
    let is_record = key.kind().content() == larder_store::Content::Record;
    (is_read && is_record).then(|| plain(words, key, script.command_part()))
}

/// Returns one command that reads the keys of all `calls`. None unless each of them is a `GET`.
pub(crate) fn get_all(calls: &[(&Key, &mut (dyn Call + '_))]) -> Option<Cmd> {
    let mut room = GET_ALL.len();
    for (key, call) in calls {
        let script = call.script();
        if script.command()? != ["GET"] || key.kind().content() != larder_store::Content::Record {
            return None;
        }
        room += key_length(key, script.command_part());
    }
    let mut cmd = Cmd::with_capacity(1 + calls.len(), room);
    cmd.arg(GET_ALL);
    for (key, call) in calls {
        write_key(&mut cmd, key, call.script().command_part());
    }
    Some(cmd)
}

const GET_ALL: &str = "MGET";

fn key_length(key: &Key, part: &str) -> usize {
    key.as_bytes().len() + 1 + part.len()
}

/// A colon and a name.
const LONGEST_PART: usize = 33;

/// Adds the physical key of one part of a record.
pub(crate) fn write_key(cmd: &mut Cmd, key: &Key, part: &str) {
    let mut argument = cmd.writer_for_next_arg();
    // Writing to memory does not fail.
    let _ = argument.write_all(key.as_bytes());
    if !part.is_empty() {
        let _ = argument.write_all(b":");
        let _ = argument.write_all(part.as_bytes());
    }
}

/// Removes the keys of a record whose deadline is at or before `now`.
///
/// It is a separate call, so that a program that only reads still runs under the flag `no-writes`. Time does
/// not move in between: the next call has the same `now`.
fn expire(key: &Key, parts: &[&str], now: i64) -> Cmd {
    let mut cmd = VIRTUAL_EXPIRE.call(Named::ByText, parts.len() + 1, 1, 0);
    for part in parts.iter().copied().chain([DEADLINES]) {
        write_key(&mut cmd, key, part);
    }
    cmd.arg(now);
    cmd
}
