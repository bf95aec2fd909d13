use serde::Serialize;
use serde::de::DeserializeOwned;

/// A kind of work, with the data that it needs.
///
/// The payload is the value in MessagePack with the names of its fields, so fields with a default can be
/// added while old jobs wait. Keep it small: ids instead of documents.
pub trait Job: Serialize + DeserializeOwned + Send + 'static {
    /// The name by which a worker finds the handler, such as `send-welcome`.
    ///
    /// It is stored in each job, so it must not change while jobs wait. It is 1 to 255 bytes.
    const NAME: &'static str;
}
