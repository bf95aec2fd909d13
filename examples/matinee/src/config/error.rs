/// A variable of the environment that has no meaning as it stands.
#[derive(Debug, thiserror::Error)]
#[error("{name} is {value:?}, expected {expected}; set {fix}, or unset it for the default")]
pub struct ConfigError {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) expected: &'static str,
    pub(crate) fix: &'static str,
}
