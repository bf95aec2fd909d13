//! Programs: atomic steps on one record, which every store that offers [`Programs`] can run.
//!
//! A record is typed state under one key.
//!
//! # Writing a program
//!
//! A program is a struct of its arguments, a script in Lua, and the same step in Rust. Import the
//! [`prelude`]; [`record!`](crate::record!) declares the stored type and how tools show it, and
//! [`arguments!`](crate::arguments!) writes the code that every program needs: which fields are sent,
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
//! Put a longer script into a file of its own: `include_str!("redeem.lua")`. [`Program`] lists the rules
//! that keep both forms alike, and `larder_test::trace` checks them.

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
/// An in-process store keeps this very type. On Redis it is one or more physical keys of one hash tag,
/// in whatever Redis types its scripts choose.
pub trait Record: Send + Sized + 'static {
    /// The kind of its keys, made by [`Kind::record`].
    const KIND: Kind;

    /// The names of the record's physical keys, in the order of `KEYS`.
    ///
    /// A name such as `"jobs"` is appended to the key after a colon.
    ///
    /// The default is the empty text, which is the key itself.
    const PARTS: &'static [&'static str] = &[""];

    /// How to keep the record as two integers, if it consists of no more. Default: None.
    ///
    /// That makes a step in process faster and the record smaller. Set it for records that are written
    /// on each request.
    const NUMBERS: Option<Numbers<Self>> = None;

    /// A program that shows the record to people and tools, and changes nothing.
    type Inspect: Program<Record = Self, Reply = Inspection> + Default;
}

/// An atomic step over one [`Record`], written in Lua for Redis and in Rust.
///
/// The fields of the program are its arguments.
///
/// # Implementing
/// Both forms must always do the same. The rules for that:
///
/// - Time is the `now` that is passed in, in microseconds, in both forms. A deadline that matters lives
///   in the record and is compared with `now`; the TTL of a key only collects garbage, and every
///   physical key of the record gets one at each write.
/// - The Lua form reads time and sets, expires and removes keys only through the prelude: `now()`
///   microseconds, `num(n)` an integer as text, `put(key, text, ms)`, `ttl(key, ms)`, `left(key)` the
///   answer of `PTTL`, `del(key)`. These truncate fractions. For anything else it may call Redis.
/// - A step that may let a waiter continue wakes the [waiters](crate::wait) of the record:
///   [`Slot::wake`] in Rust, and `wake()`, written exactly so, in Lua.
/// - In both forms a key exists until the very end of its TTL: a record whose deadline is the moment of
///   the write plus the TTL in milliseconds need not compare it when it is read.
/// - Integers are within [`MAX_INT`]. Division is floored. A map is sorted before it is returned.
/// - A key that may hold another Redis type is read first with a command of its own type: `EXISTS` and
///   `DEL` would not notice.
/// - Check first, write last: an error in the middle of a script keeps what was written.
/// - A step does not panic and does not wait. A store may run it as a trial and run it again; only the
///   last run counts, so it changes nothing but its record.
///
/// A differential trace (`larder_test::trace`) compares the two forms, also just before and after every
/// deadline.
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
    /// If the answer does not have the form that the program expects.
    fn reply(&self, wire: Wire) -> Result<Self::Reply>;
}
