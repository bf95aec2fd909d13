use std::fmt;
use std::task::Poll;

use super::slot::Discarded;
use super::{Args, Cell, Program, Record, Script, Slot, Wire};
use crate::{Content, Error, ErrorKind, Key, Kind, Refusal, Result, Timestamp};

/// A run of a program with erased types, for a `dyn` store.
///
/// An in-process store calls [`step`](Self::step); a remote one sends [`script`](Self::script) with
/// [`args`](Self::args) and hands the answer to [`reply`](Self::reply). Either way the typed answer ends
/// up inside the call. The typed methods of [`Programs`](super::Programs) make it; decorators pass it on.
pub trait Call: Send {
    /// Returns the kind of the record.
    fn kind(&self) -> Kind;

    /// Returns the suffix of each physical key of the record.
    fn parts(&self) -> &'static [&'static str];

    /// Returns the Lua form of the program.
    fn script(&self) -> &'static Script;

    /// Writes the arguments.
    fn args(&self, args: &mut Args);

    /// Runs the Rust form on the record in `cell`.
    ///
    /// # Errors
    /// [`Refusal::WrongType`] if the cell holds a record of another type, and
    /// [`ErrorKind::Invalid`] if an argument is past [`MAX_INT`](super::MAX_INT); the record is
    /// then unchanged.
    fn step(&mut self, cell: &mut Cell, now: Timestamp) -> Result<()>;

    /// Returns whether the last [`step`](Self::step) wakes the record's waiters. An in-process store then
    /// wakes them, after the step and outside its locks.
    fn wakes(&self) -> bool;

    /// Reads the answer of the Lua form.
    ///
    /// # Errors
    /// If the answer does not have the form that the program expects.
    fn reply(&mut self, wire: Wire) -> Result<()>;
}

/// Refuses a call whose key is not of the record's kind.
#[inline]
pub(super) fn check_kind(key: &Key, kind: Kind) -> Result<()> {
    key.require(Content::Record, "run")?;
    match key.kind() == kind {
        true => Ok(()),
        false => Err(wrong_type(kind)),
    }
}

#[cold]
fn wrong_type(kind: Kind) -> Error {
    Error::new(
        "run",
        ErrorKind::Refused(Refusal::WrongType),
        format!("the key does not hold a record of kind '{}'", kind.name()),
    )
}

/// A typed run of one program, which a store sees as a [`Call`].
///
/// You need it only to send programs of several types together, by
/// [`Programs::run_each`](super::Programs#method.run_each); [`run`](super::Programs#method.run) makes its
/// own.
pub struct Run<'a, P: Program> {
    program: &'a P,
    /// Already in the form that is returned, since taking it apart may be slow. Pending until it arrives.
    reply: Poll<Result<P::Reply>>,
    /// The records to drop with the call, since a step runs under a lock.
    discarded: Discarded,
    earlier_replies: Vec<P::Reply>,
    wakes: bool,
    /// The time of the last step, if it ran in this process.
    stepped_at: Option<Timestamp>,
}

impl<'a, P: Program> Run<'a, P> {
    /// Prepares a run of `program`.
    #[inline]
    pub fn new(program: &'a P) -> Self {
        Self {
            program,
            reply: Poll::Pending,
            discarded: Vec::new(),
            earlier_replies: Vec::new(),
            wakes: false,
            stepped_at: None,
        }
    }

    /// Returns the time that the step saw. None if it did not run in this process.
    #[inline]
    pub(super) fn stepped_at(&self) -> Option<Timestamp> {
        self.stepped_at
    }

    /// Returns the reply, given the store's result of the run.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::MayHaveRun`] if it reports a run without an answer.
    #[inline]
    pub fn reply(self, done: Result<()>) -> Result<P::Reply> {
        done?;
        match self.reply {
            Poll::Ready(reply) => reply,
            Poll::Pending => Err(unanswered()),
        }
    }

    /// Does the same for a store that answers at once.
    #[inline]
    pub(super) fn reply_now(self, done: Poll<Result<()>>) -> Poll<Result<P::Reply>> {
        match done {
            Poll::Ready(Ok(())) if self.reply.is_ready() => self.reply,
            Poll::Ready(Ok(())) => Poll::Ready(Err(unanswered())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cold]
fn unanswered() -> Error {
    Wire::unexpected("an answer, but the store returned none")
}

impl<P: Program> fmt::Debug for Run<'_, P> {
    /// Shows only the name of the program, never its arguments or its answer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("program", &P::SCRIPT.name())
            .finish_non_exhaustive()
    }
}

impl<P: Program> Call for Run<'_, P> {
    fn kind(&self) -> Kind {
        P::Record::KIND
    }

    fn parts(&self) -> &'static [&'static str] {
        P::Record::PARTS
    }

    fn script(&self) -> &'static Script {
        P::SCRIPT
    }

    fn args(&self, args: &mut Args) {
        self.program.args(args);
    }

    fn step(&mut self, cell: &mut Cell, now: Timestamp) -> Result<()> {
        self.wakes = false;
        self.stepped_at = Some(now);
        if !cell.fits::<P::Record>() {
            return Err(wrong_type(P::Record::KIND));
        }
        // Numbers that Lua could not count exactly are refused here too.
        let mut args = Args::only_checked();
        self.program.args(&mut args);
        args.check()?;
        let mut slot = Slot::new(cell, &mut self.discarded, &mut self.wakes);
        let reply = self.program.step(&mut slot, now);
        drop(slot);
        let earlier = std::mem::replace(&mut self.reply, Poll::Ready(Ok(reply)));
        if let Poll::Ready(Ok(earlier)) = earlier {
            self.earlier_replies.push(earlier);
        }
        Ok(())
    }

    fn wakes(&self) -> bool {
        self.wakes
    }

    fn reply(&mut self, wire: Wire) -> Result<()> {
        self.reply = Poll::Ready(Ok(self.program.reply(wire)?));
        Ok(())
    }
}
