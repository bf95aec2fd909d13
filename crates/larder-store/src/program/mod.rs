//! A program is one atomic step over one record.
//!
//! It is written once for each kind of store.
//!
//! # Writing a program
//!
//! A program is a struct of its arguments, a script in Lua, and the same step in Rust. Import the
//! [`prelude`]; [`record!`](crate::record!) declares what is kept and how people see it, and
//! [`arguments!`](crate::arguments!) writes what is the same in every program: which fields are sent,
//! and how the reply is read.
//!
//! ```
//! use larder_store::program::prelude::*;
//!
//! /// How often a coupon was redeemed. On Redis a string.
//! pub struct Redemptions(i64);
//!
//! record! {
//!     Redemptions, Kind::record("coupon");
//!     /// Shows people and tools how often a coupon was redeemed.
//!     pub InspectRedemptions = "coupon-inspect",
//!     "local count = redis.call('GET', KEYS[1])
//!      return count and {'count', count} or {}",
//!     |held, shown| shown.with("count", held.0),
//! }
//!
//! /// Redeems a coupon once more, and returns whether it could be redeemed.
//! #[derive(Debug)]
//! pub struct Redeem {
//!     /// How often it can be redeemed.
//!     pub limit: u32,
//!     /// How long it is remembered after it was last redeemed.
//!     pub ttl: Ttl,
//! }
//!
//! impl Program for Redeem {
//!     type Record = Redemptions;
//!     type Reply = bool;
//!
//!     const SCRIPT: &'static Script = &Script::new(
//!         "coupon-redeem",
//!         Effect::Once,
//!         "local count = tonumber(redis.call('GET', KEYS[1]) or '0')
//!          if count >= tonumber(ARGV[1]) then return 0 end
//!          put(KEYS[1], num(count + 1), ARGV[2])
//!          return 1",
//!     );
//!
//!     arguments!(limit, ttl);
//!
//!     fn step(&self, record: &mut Slot<'_, Redemptions>, _: Timestamp) -> bool {
//!         let count = record.get().map_or(0, |held| held.0);
//!         let is_open = count < i64::from(self.limit);
//!         if is_open {
//!             record.put(Redemptions(count + 1), self.ttl);
//!         }
//!         is_open
//!     }
//! }
//! ```
//!
//! A script of some length is a file of its own: `include_str!("redeem.lua")`. [`Program`] lists the
//! rules that keep both forms alike, and `larder_test::trace` checks them.

mod arg;
mod args;
mod call;
mod from_wire;
mod inspection;
mod macros;
pub mod prelude;
mod programs;
mod script;
mod slot;
mod wire;

pub use arg::Arg;
pub use args::{Args, MAX_INT};
pub use call::{Call, Run};
pub use from_wire::FromWire;
pub use inspection::Inspection;
pub use programs::{Calls, Programs};
pub use script::{Effect, Script};
pub use slot::{Cell, Numbers, Slot};
pub use wire::Wire;

use crate::{Kind, Result, Timestamp};

/// A typed value that programs work on.
///
/// In process it is this very type. On Redis it is one or more physical keys of one hash tag, in
/// whatever Redis types its scripts choose.
pub trait Record: Send + Sized + 'static {
    /// The kind of its keys, made by [`Kind::record`].
    const KIND: Kind;

    /// The names of the record's physical keys, in the order of `KEYS`.
    ///
    /// A name such as `"jobs"` is set behind the key and a colon.
    ///
    /// The empty text is the key itself, and is the default.
    const PARTS: &'static [&'static str] = &[""];

    /// How the record is kept as two numbers, if that is all it is. By default it is not.
    ///
    /// It makes a step in process faster and the record smaller. Give it to records that are written for
    /// each request.
    const NUMBERS: Option<Numbers<Self>> = None;

    /// A program that shows the record to people and tools, and changes nothing.
    type Inspect: Program<Record = Self, Reply = Inspection> + Default;
}

/// An atomic step over one [`Record`], written in Lua for Redis and in Rust.
///
/// The program is its arguments.
///
/// # Implementing
/// Both forms must do the same at every moment. The rules that make it so:
///
/// - Time is the `now` that is handed in, in microseconds, in both forms. A deadline that matters
///   lives in the record and is compared with `now`; the TTL of a key only collects garbage, and
///   every physical key of the record gets one at each write.
/// - The Lua form reads time and sets, expires and removes keys through the prelude alone:
///   `now()` microseconds, `num(n)` an integer as text, `put(key, text, ms)`, `ttl(key, ms)`,
///   `left(key)` what `PTTL` answers, `del(key)`. It may call Redis for anything else. They cut off a
///   fraction.
/// - A step that may let somebody else go on wakes those who [wait](crate::wait) for the record:
///   [`Slot::wake`] in Rust, and `wake()`, written just so, in Lua.
/// - A key is there up to the very end of its TTL in both forms: a record that keeps its deadline as
///   the moment of the write and the TTL in milliseconds need not compare it to read.
/// - Integers are within [`MAX_INT`]. Division is floored. A map is sorted before it is sent back.
/// - A key that may hold another Redis type is read with a command of its own type first: `EXISTS`
///   and `DEL` would not notice.
/// - Check first, write last: an error in the middle of a script keeps what was written.
/// - A step does not panic, and does not wait. A store may run it on a trial and run it again;
///   only the last run counts, so it changes nothing but its record.
///
/// A differential trace (`larder_test::trace`) holds the two forms against each other, on the
/// edges of every deadline.
pub trait Program: Send + Sync {
    /// The record that the program works on.
    type Record: Record;

    /// The reply of the program.
    type Reply: Send;

    /// Its Lua form.
    const SCRIPT: &'static Script;

    /// Writes its arguments, in the order of `ARGV`.
    fn args(&self, args: &mut Args);

    /// Runs its Rust form.
    fn step(&self, record: &mut Slot<'_, Self::Record>, now: Timestamp) -> Self::Reply;

    /// Reads the answer of the Lua form.
    ///
    /// # Errors
    /// If the answer is not of the form that the script gives.
    fn reply(&self, wire: Wire) -> Result<Self::Reply>;
}
