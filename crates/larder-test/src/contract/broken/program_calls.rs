use std::task::Poll;

use larder_store::program::{Args, Call, Programs};
use larder_store::{Error, ErrorKind, Key, Result};

use crate::ModelStore;

/// Runs a call again when it is dropped.
pub(super) struct AgainOnDrop<'a> {
    model: &'a ModelStore,
    key: &'a Key,
    call: Option<&'a mut dyn Call>,
}

impl<'a> AgainOnDrop<'a> {
    pub(super) fn new(model: &'a ModelStore, key: &'a Key, call: &'a mut dyn Call) -> Self {
        let call = Some(call);
        Self { model, key, call }
    }

    pub(super) fn disarm(mut self) {
        self.call = None;
    }
}

impl Drop for AgainOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            // The reference store is never pending, and no caller needs this answer.
            let _: Poll<Result<()>> = self.model.call_now(self.key, call);
        }
    }
}

/// Returns whether an argument is an integer past 2^53.
pub(super) fn is_wide(call: &dyn Call) -> bool {
    let mut args = Args::new();
    call.args(&mut args);
    args.check().is_err()
}

/// Refuses integers past 2^52.
pub(super) fn check_narrow(call: &dyn Call) -> Result<()> {
    let is_narrow = |arg: &[u8]| {
        let int = std::str::from_utf8(arg)
            .ok()
            .and_then(|text| text.parse::<i64>().ok());
        int.is_none_or(|int| int.unsigned_abs() <= 1 << 52)
    };
    check(call, is_narrow)
}

/// Refuses arguments that are not printable text.
pub(super) fn check_text(call: &dyn Call) -> Result<()> {
    check(call, |arg| {
        arg.iter().all(|byte| (b' '..=b'~').contains(byte))
    })
}

fn check(call: &dyn Call, is_fine: impl Fn(&[u8]) -> bool) -> Result<()> {
    let mut args = Args::new();
    call.args(&mut args);
    if args.iter().all(is_fine) {
        return Ok(());
    }
    Err(Error::new(
        "run",
        ErrorKind::Invalid,
        "the store refuses an argument",
    ))
}
