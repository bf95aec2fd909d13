mod key;

pub(crate) use key::DEVICE;
pub use key::SessionKey;
