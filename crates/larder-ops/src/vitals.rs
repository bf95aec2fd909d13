//! The current state of a server, for a live view.

use std::time::{Duration, Instant};

use larder_redis::AdminServer;
use larder_store::{Error, ErrorKind, Refusal, Result};

use crate::fields::{Fields, Missing};

/// The current state of a server, by `INFO`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Vitals {
    /// The time that `PING` took.
    pub round_trip: Duration,
    /// The commands of the last second.
    pub operations_per_second: u64,
    /// The memory in use, in bytes.
    pub used_memory: u64,
    /// The limit of the memory, in bytes. 0 means no limit.
    pub max_memory: u64,
    /// The number of connections.
    pub clients: u64,
    /// Reads that found a key, since the server started.
    pub hits: u64,
    /// Reads that found none, since the server started.
    pub misses: u64,
    /// Keys that were evicted since the server started.
    pub evicted_keys: u64,
    /// The number of replicas.
    pub replicas: u64,
}

impl Vitals {
    /// Reads the vitals of a server. Two round trips.
    ///
    /// # Errors
    /// Those of [`AdminServer::run`], and [`Refusal::Unavailable`] if the server does not report a value.
    ///
    /// # Cancellation
    /// A dropped call has no effect.
    pub async fn read(server: &AdminServer) -> Result<Self> {
        let started = Instant::now();
        server.run(&[b"PING"]).await?;
        let round_trip = started.elapsed();
        let info = server.run(&[b"INFO"]).await?.bytes()?;
        let info = Fields::parse(&String::from_utf8_lossy(&info));
        Self::parse(&info, round_trip).map_err(|missing| {
            let kind = ErrorKind::Refused(Refusal::Unavailable);
            Error::new("info", kind, missing.0)
        })
    }

    fn parse(info: &Fields, round_trip: Duration) -> Result<Self, Missing> {
        let count = |name: &str| info.number(name).map(|number| number as u64);
        Ok(Self {
            round_trip,
            operations_per_second: count("instantaneous_ops_per_sec")?,
            used_memory: count("used_memory")?,
            max_memory: count("maxmemory")?,
            clients: count("connected_clients")?,
            hits: count("keyspace_hits")?,
            misses: count("keyspace_misses")?,
            evicted_keys: count("evicted_keys")?,
            replicas: count("connected_slaves")?,
        })
    }

    /// Returns the part of the limit that is in use: above 1 over the limit. None if there is no limit.
    pub fn memory_share(&self) -> Option<f64> {
        (self.max_memory > 0).then(|| self.used_memory as f64 / self.max_memory as f64)
    }

    /// Returns the part of the reads that found a key, from 0 to 1. None before the first read.
    pub fn hit_ratio(&self) -> Option<f64> {
        // A server may answer anything.
        let reads = self.hits.saturating_add(self.misses);
        (reads > 0).then(|| self.hits as f64 / reads as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_of_nothing_are_none() {
        let info = Fields::parse(
            "instantaneous_ops_per_sec:9\nused_memory:50\nmaxmemory:100\nconnected_clients:3\n\
             keyspace_hits:3\nkeyspace_misses:1\nevicted_keys:0\nconnected_slaves:1\n",
        );
        let vitals = Vitals::parse(&info, Duration::ZERO).unwrap();
        assert_eq!(
            (vitals.memory_share(), vitals.hit_ratio()),
            (Some(0.5), Some(0.75))
        );
        let idle = Vitals {
            max_memory: 0,
            hits: 0,
            misses: 0,
            ..vitals
        };
        assert_eq!((idle.memory_share(), idle.hit_ratio()), (None, None));
        assert!(Vitals::parse(&Fields::default(), Duration::ZERO).is_err());
        let hostile = Vitals {
            hits: u64::MAX,
            misses: u64::MAX,
            ..vitals
        };
        assert_eq!(hostile.hit_ratio(), Some(1.0));
    }
}
