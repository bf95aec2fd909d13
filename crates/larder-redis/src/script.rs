//! Scripts as they are sent to the server, and the commands that call them.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use ::redis::{Arg, Cmd, ServerError, ServerErrorKind, Value};
use larder_store::program::{Effect, Script};
use parking_lot::RwLock;

/// A whole script: its flags, the functions that its program may call, and the program.
pub(crate) struct Prepared {
    name: &'static str,
    text: String,
    hash: String,
    /// The number of lines before the first line of the program.
    lines_before: usize,
    wakes: bool,
}

/// The name of a script in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// The hash of the script, which the server may have forgotten.
    ///
    /// Then nothing ran.
    ByHash,
    /// The whole text of the script, which always runs and is remembered.
    ByText,
}

/// The clock of programs, which decides what surrounds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    Server,
    Virtual,
}

/// The command by which a script notifies waiters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tell {
    Publish,
    /// In a cluster: to the subscribers at the node that serves the slot.
    ShardPublish,
}

impl Prepared {
    fn new(script: &Script, time: Time, tell: Tell) -> Self {
        match time {
            Time::Server => Self::around(script, &prelude_of(script.lua()), "", tell),
            Time::Virtual => Self::around(
                script,
                include_str!("lua/virtual_prelude.lua"),
                include_str!("lua/virtual_epilogue.lua"),
                tell,
            ),
        }
    }

    /// Prepares a script of this crate, without the prelude of programs.
    pub(crate) fn bare(script: &Script) -> Self {
        Self::around(script, "", "", Tell::Publish)
    }

    /// Prepares a script of this crate that reads the time.
    pub(crate) fn timed(script: &Script, time: Time, tell: Tell) -> Self {
        match time {
            Time::Server => Self::around(script, &prelude_of(script.lua()), "", tell),
            Time::Virtual => Self::around(script, include_str!("lua/virtual_now.lua"), "", tell),
        }
    }

    fn around(script: &Script, prelude: &str, epilogue: &str, tell: Tell) -> Self {
        let wakes = script.lua().contains("wake()");
        let wake = match (wakes, tell) {
            (false, _) => String::new(),
            (true, Tell::Publish) => WAKE.to_owned(),
            (true, Tell::ShardPublish) => WAKE.replace("'PUBLISH'", "'SPUBLISH'"),
        };
        let before = format!("#!lua{}\n{prelude}{wake}", flags(script));
        let lines_before = before.lines().count();
        let text = before + script.lua() + epilogue;
        Self {
            name: script.name(),
            hash: ::redis::Script::new(&text).get_hash().to_owned(),
            text,
            lines_before,
            wakes,
        }
    }

    /// Returns whether the script wakes, so that its last key is that of the waiters.
    pub(crate) fn wakes(&self) -> bool {
        self.wakes
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Begins a call, up to the number of keys.
    pub(crate) fn call(&self, named: Named, keys: usize, args: usize, room: usize) -> Cmd {
        let (command, script) = match named {
            Named::ByHash => ("EVALSHA", &self.hash),
            Named::ByText => ("EVAL", &self.text),
        };
        let mut cmd = Cmd::with_capacity(3 + keys + args, 16 + script.len() + room);
        cmd.arg(command).arg(script).arg(keys);
        cmd
    }

    /// Turns a call by hash into one by text.
    pub(crate) fn by_text(&self, by_hash: &Cmd) -> Cmd {
        let mut cmd = Cmd::new();
        cmd.arg("EVAL").arg(&self.text);
        for arg in by_hash.args_iter().skip(2) {
            // Only cursors have another form, and no call has one.
            if let Arg::Simple(arg) = arg {
                cmd.arg(arg);
            }
        }
        cmd
    }

    /// Returns the line of the program in which the server stopped it.
    pub(crate) fn line(&self, error: &ServerError) -> Option<usize> {
        let (_, after) = error.details()?.split_once("user_script:")?;
        let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<usize>().ok()?.checked_sub(self.lines_before)
    }
}

/// The function that wakes. It removes the last key, so that the program does not see it.
const WAKE: &str = include_str!("lua/wake.lua");

/// Returns the prelude functions that a program uses, one per line.
///
/// The server defines them in every call, so those that are not used are left out.
fn prelude_of(lua: &str) -> String {
    let function = |line: &&str| {
        let name = line.strip_prefix("local function ");
        let name = name.and_then(|rest| rest.split('(').next());
        name.is_none_or(|name| lua.contains(name))
    };
    let prelude = include_str!("lua/prelude.lua");
    prelude.split_inclusive('\n').filter(function).collect()
}

/// Returns whether the server answered that it does not know the script, so that nothing ran.
pub(crate) fn is_forgotten(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoScript))
}

/// Returns the flags of a script: whether it writes, and may run when memory is full.
///
/// They let the server refuse a script as a whole, so that none stops halfway.
fn flags(script: &Script) -> &'static str {
    match (script.effect(), script.is_run_when_full()) {
        (Effect::Read, true) => " flags=no-writes,allow-oom",
        (Effect::Read, false) => " flags=no-writes",
        (_, true) => " flags=allow-oom",
        (_, false) => "",
    }
}

/// The scripts that a store has sent, by the addresses of their statics.
pub(crate) struct Scripts {
    time: Time,
    tell: Tell,
    prepared: RwLock<HashMap<usize, Arc<Prepared>>>,
}

impl Scripts {
    pub(crate) fn new(time: Time, tell: Tell) -> Self {
        Self {
            time,
            tell,
            prepared: RwLock::default(),
        }
    }

    pub(crate) fn get(&self, script: &'static Script) -> Arc<Prepared> {
        let address = std::ptr::from_ref(script).addr();
        if let Some(prepared) = self.prepared.read().get(&address) {
            return prepared.clone();
        }
        let prepared = Arc::new(Prepared::new(script, self.time, self.tell));
        self.prepared
            .write()
            .entry(address)
            .or_insert(prepared)
            .clone()
    }
}

macro_rules! own {
    ($($prepared:ident = $name:literal, $script:expr;)*) => {$(
        pub(crate) static $prepared: LazyLock<Prepared> = LazyLock::new(|| {
            const LUA: &str = include_str!(concat!("lua/", $name, ".lua"));
            Prepared::bare(&$script(Script::new($name, Effect::Once, LUA)))
        });
    )*};
}
own! {
    PUT_IF_VERSION = "put_if_version", std::convert::identity;
    DELETE_IF_VERSION = "delete_if_version", Script::runs_when_full;
    VIRTUAL_EXPIRE = "virtual_expire", Script::runs_when_full;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_line(script: &Script) -> String {
        let prepared = Prepared::new(script, Time::Server, Tell::Publish);
        prepared.text.lines().next().unwrap().to_owned()
    }

    #[test]
    fn flags_follow_from_the_declarations_of_a_script() {
        let read = Script::new("read", Effect::Read, "return 1");
        let once = Script::new("once", Effect::Once, "return 1");
        assert_eq!(first_line(&read), "#!lua flags=no-writes,allow-oom");
        assert_eq!(first_line(&once), "#!lua");
        assert_eq!(first_line(&once.runs_when_full()), "#!lua flags=allow-oom");
    }

    #[test]
    fn a_program_gets_the_functions_that_it_names() {
        let functions = |lua: &str| {
            let prelude = prelude_of(lua);
            let names = prelude.lines().map(|line| {
                let name = line.split_whitespace().nth(2).unwrap();
                name.split('(').next().unwrap().to_owned()
            });
            names.collect::<Vec<_>>()
        };
        assert!(functions("return 1").is_empty());
        assert_eq!(functions("return now ()"), ["now"]);
        assert_eq!(
            functions("put(KEYS[1], num(now()), 5)"),
            ["now", "num", "put"]
        );
        assert_eq!(functions("local f = del ttl(f)"), ["ttl", "del"]);
    }

    #[test]
    fn a_program_that_wakes_does_it_as_its_servers_hear_it() {
        let wakes = Script::new("wakes", Effect::Once, "wake() return 1");
        for (tell, command) in [
            (Tell::Publish, "'PUBLISH'"),
            (Tell::ShardPublish, "'SPUBLISH'"),
        ] {
            for time in [Time::Server, Time::Virtual] {
                let prepared = Prepared::new(&wakes, time, tell);
                assert!(prepared.wakes() && prepared.text.contains(command));
            }
        }
        let quiet = Script::new("quiet", Effect::Once, "return 1");
        let quiet = Prepared::new(&quiet, Time::Server, Tell::Publish);
        assert!(!quiet.wakes() && !quiet.text.contains("PUBLISH"));
    }

    #[test]
    fn a_script_is_prepared_once() {
        static SCRIPT: Script = Script::new("once", Effect::Once, "return 1");
        let scripts = Scripts::new(Time::Server, Tell::Publish);
        assert!(Arc::ptr_eq(&scripts.get(&SCRIPT), &scripts.get(&SCRIPT)));
    }
}
