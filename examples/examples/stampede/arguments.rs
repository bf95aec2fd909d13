use std::path::PathBuf;

/// What the program was asked to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arguments {
    pub(crate) processes: usize,
    pub(crate) callers: usize,
    pub(crate) kills_leader: bool,
    pub(crate) is_naive: bool,
    /// The key that all processes ask for, in a process that was started by another.
    pub(crate) key: Option<u64>,
}

const USAGE: &str =
    "usage: stampede [--processes NUMBER] [--callers NUMBER] [--kill-leader] [--naive]";

impl Arguments {
    pub(crate) fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut parsed = Self {
            processes: 1,
            callers: 1_000,
            ..Self::default()
        };
        while let Some(name) = given.next() {
            let mut number = || {
                let value = given.next().and_then(|value| value.parse::<u64>().ok());
                value.ok_or_else(|| format!("{name} needs a number\n{USAGE}"))
            };
            match name.as_str() {
                "--processes" => parsed.processes = number()?.clamp(1, 100) as usize,
                "--callers" => parsed.callers = number()?.clamp(1, 100_000) as usize,
                "--key" => parsed.key = Some(number()?),
                "--kill-leader" => parsed.kills_leader = true,
                "--naive" => parsed.is_naive = true,
                _ => return Err(format!("unknown option {name}\n{USAGE}")),
            }
        }
        Ok(parsed)
    }

    /// The options of a process that asks for `key`.
    pub(crate) fn for_child(&self, key: u64) -> Vec<String> {
        let mut options = vec![
            "--callers".to_owned(),
            self.callers.to_string(),
            "--key".to_owned(),
            key.to_string(),
        ];
        if self.is_naive {
            options.push("--naive".to_owned());
        }
        options
    }
}

/// The store that all processes share.
pub(crate) fn store_url() -> String {
    std::env::var("STORE_URL").unwrap_or("memory://".to_owned())
}

/// The file to which each load appends a line.
pub(crate) fn load_log() -> Option<PathBuf> {
    std::env::var_os("LOAD_LOG").map(PathBuf::from)
}
