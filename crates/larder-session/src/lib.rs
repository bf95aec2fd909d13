#![doc = include_str!("../README.md")]
// The layer on these programs comes next.
#![allow(dead_code, unused_imports)]

mod error;
mod owner;
mod record;
mod session;
mod token;
mod value;

pub use error::{Error, ErrorKind, Result};
pub use owner::{InspectOwner, OwnerRecord};
pub use record::{InspectSession, SessionRecord};
pub use session::SessionKey;
pub use token::DeviceId;

#[cfg(test)]
mod traces;
