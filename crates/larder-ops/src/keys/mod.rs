//! Surveys of keys: how many there are of each kind, how large, and with which TTL.

mod kind;
mod survey;

pub use kind::{is_of_larder, kind_of};
pub(crate) use survey::TOGETHER;
pub use survey::{KindSurvey, Survey, Surveyor};
