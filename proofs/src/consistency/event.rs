use std::fmt;
use std::str::FromStr;

/// What a process saw or did: on which key, from when to when.
///
/// Its text is one line, as one process passes it to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The number of the process.
    pub process: u32,
    /// The number of the key.
    pub key: u32,
    /// When it was asked for, in microseconds of the machine's clock.
    pub began: u64,
    /// When it was answered.
    pub ended: u64,
    /// What it was.
    pub what: What,
}

/// What was seen or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The source is being given this version.
    Changed(u64),
    /// A read returned this version of the value.
    Read(u64),
    /// An invalidation was acknowledged that began when the source had this version.
    Invalidated(u64),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, version) = match self.what {
            What::Changed(version) => ("changed", version),
            What::Read(version) => ("read", version),
            What::Invalidated(version) => ("invalidated", version),
        };
        let (process, key, began, ended) = (self.process, self.key, self.began, self.ended);
        write!(f, "{what} {process} {key} {version} {began} {ended}")
    }
}

impl FromStr for Event {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let read = || {
            let (what, numbers) = line.split_once(' ')?;
            let mut numbers = numbers.split(' ').map(|number| number.parse::<u64>().ok());
            let mut next = || numbers.next().flatten();
            let process = u32::try_from(next()?).ok()?;
            let (key, version) = (u32::try_from(next()?).ok()?, next()?);
            let what = match what {
                "changed" => What::Changed(version),
                "read" => What::Read(version),
                "invalidated" => What::Invalidated(version),
                _ => return None,
            };
            Some(Self {
                process,
                key,
                began: next()?,
                ended: next()?,
                what,
            })
        };
        read().ok_or_else(|| format!("not an event: {line}"))
    }
}
