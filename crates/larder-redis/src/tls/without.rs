use std::borrow::Cow;
use std::convert::Infallible;
use std::io;
use std::time::Duration;

use ::redis::RedisError;
use larder_store::{Error, ErrorKind, Result};
use tokio::net::TcpStream;

/// No TLS: this type has no values.
#[derive(Clone)]
pub(crate) struct Tls(Infallible);

impl Tls {
    pub(crate) fn new(_: Option<&str>, _: Option<&str>, _: Option<&str>) -> Result<Self> {
        Err(Error::new(
            "connect",
            ErrorKind::Invalid,
            "the store URL asks for TLS, which is not compiled in: add the feature 'tls' to \
             larder-redis, or 'redis-tls' to larder, in Cargo.toml",
        ))
    }

    pub(crate) async fn connect(&self, _: &str, _: TcpStream) -> io::Result<TcpStream> {
        match self.0 {}
    }

    pub(crate) async fn certificate_end(&self, _: &str, _: TcpStream) -> io::Result<Duration> {
        match self.0 {}
    }
}

pub(crate) fn explain(_: &RedisError) -> Option<Cow<'static, str>> {
    None
}
