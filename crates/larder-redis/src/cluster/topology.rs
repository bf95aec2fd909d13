//! The slots and their nodes, as reported by a node.

use ::redis::Value;

use super::slot::SLOTS;
use crate::connection::HostPort;

/// A run of slots and the nodes that have them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Range {
    pub(crate) first: u16,
    pub(crate) last: u16,
    pub(crate) master: HostPort,
    pub(crate) replicas: Vec<HostPort>,
}

/// The slots of a cluster. Equal topologies mean the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Topology {
    ranges: Vec<Range>,
    /// The number of slots whose nodes announce no host.
    nameless: usize,
}

impl Topology {
    /// Parses the answer of `CLUSTER SLOTS`. None if it has another form. A node without a name is at
    /// `asked_host`.
    pub(crate) fn read(answer: Value, asked_host: &str) -> Option<Self> {
        let Value::Array(ranges) = answer else {
            return None;
        };
        if ranges.len() > usize::from(SLOTS) {
            return None;
        }
        let mut read = Vec::with_capacity(ranges.len());
        let mut nameless = 0;
        for range in ranges {
            let Value::Array(range) = range else {
                return None;
            };
            let [first, last, master, replicas @ ..] = &range[..] else {
                return None;
            };
            let (first, last) = (slot(first)?, slot(last)?);
            if first > last {
                return None;
            }
            // Slots whose node has no name count as unserved.
            let Some(master) = host_port(master, asked_host)? else {
                nameless += usize::from(last - first) + 1;
                continue;
            };
            let mut others = Vec::with_capacity(replicas.len());
            for replica in replicas {
                others.extend(host_port(replica, asked_host)?);
            }
            others.sort();
            read.push(Range {
                first,
                last,
                master,
                replicas: others,
            });
        }
        Some(Self::new(read, nameless))
    }

    /// Sorts and joins the ranges, so that the answers of all nodes compare equal.
    fn new(mut ranges: Vec<Range>, nameless: usize) -> Self {
        ranges.sort();
        ranges.dedup_by(|next, last| {
            let joins = last.last.checked_add(1) == Some(next.first)
                && last.master == next.master
                && last.replicas == next.replicas;
            if joins {
                last.last = next.last;
            }
            joins
        });
        Self { ranges, nameless }
    }

    pub(crate) fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// Returns the number of slots that are served.
    pub(crate) fn covered(&self) -> usize {
        let count = |range: &Range| usize::from(range.last - range.first) + 1;
        self.ranges.iter().map(count).sum()
    }

    /// Returns for each slot whether it is served.
    pub(super) fn served(&self) -> Vec<bool> {
        let mut served = vec![false; usize::from(SLOTS)];
        for range in &self.ranges {
            let slots = usize::from(range.first)..=usize::from(range.last);
            if let Some(slots) = served.get_mut(slots) {
                slots.fill(true);
            }
        }
        served
    }

    /// Returns whether each slot has the same master in both.
    pub(super) fn has_masters_of(&self, other: &Self) -> bool {
        self.masters() == other.masters()
    }

    /// Returns the runs of slots with one master, whatever their replicas.
    fn masters(&self) -> Vec<(u16, u16, &HostPort)> {
        let mut runs: Vec<(u16, u16, &HostPort)> = Vec::with_capacity(self.ranges.len());
        for range in &self.ranges {
            match runs.last_mut() {
                Some((_, last, master))
                    if last.checked_add(1) == Some(range.first) && **master == range.master =>
                {
                    *last = range.last;
                }
                _ => runs.push((range.first, range.last, &range.master)),
            }
        }
        runs
    }

    /// Returns the number of slots that are served by nodes that announce `?` instead of their
    /// host.
    pub(crate) fn nameless(&self) -> usize {
        self.nameless
    }

    /// Returns whether a node occurs in it.
    pub(crate) fn names(&self, host_port: &HostPort) -> bool {
        let mut ranges = self.ranges.iter();
        ranges.any(|range| range.master == *host_port || range.replicas.contains(host_port))
    }
}

fn slot(value: &Value) -> Option<u16> {
    match value {
        Value::Int(slot) => u16::try_from(*slot).ok().filter(|slot| *slot < SLOTS),
        _ => None,
    }
}

/// Reads a node of a range: its host, its port and the rest.
///
/// Returns `Some(None)` for a node without a name.
fn host_port(value: &Value, asked_host: &str) -> Option<Option<HostPort>> {
    let Value::Array(node) = value else {
        return None;
    };
    let [host, Value::Int(port), ..] = &node[..] else {
        return None;
    };
    let port = u16::try_from(*port).ok()?;
    let host = match host {
        Value::Nil => "",
        Value::BulkString(host) => std::str::from_utf8(host).ok()?,
        Value::SimpleString(host) => host,
        _ => return None,
    };
    Some(HostPort::announced(host, port, asked_host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(resp: &str) -> Option<Topology> {
        let value = ::redis::parse_redis_value(resp.as_bytes()).unwrap();
        Topology::read(value, "seed")
    }

    fn at(host: &str, port: u16) -> HostPort {
        HostPort {
            host: host.to_owned(),
            port,
        }
    }

    fn node(host: &str, port: u16) -> String {
        format!("*3\r\n${}\r\n{host}\r\n:{port}\r\n$1\r\ni\r\n", host.len())
    }

    #[test]
    fn ranges_are_sorted_and_joined_whichever_node_reports_them() {
        let (a, b) = (node("10.0.0.1", 1), node("10.0.0.2", 2));
        let one = read(&format!(
            "*2\r\n*3\r\n:0\r\n:9\r\n{a}*4\r\n:10\r\n:16383\r\n{b}{a}"
        ));
        let other = read(&format!(
            "*3\r\n*4\r\n:10\r\n:16383\r\n{b}{a}*3\r\n:0\r\n:3\r\n{a}*3\r\n:4\r\n:9\r\n{a}"
        ));
        let one = one.unwrap();
        assert_eq!(one, other.unwrap());
        assert_eq!((one.ranges().len(), one.covered()), (2, 16_384));
        assert_eq!(one.ranges()[1].replicas, [at("10.0.0.1", 1)]);
        assert!(one.names(&at("10.0.0.2", 2)) && !one.names(&at("10.0.0.2", 1)));
    }

    #[test]
    fn masters_are_compared_whatever_their_replicas() {
        let (a, b) = (node("10.0.0.1", 1), node("10.0.0.2", 2));
        let alone = read(&format!("*1\r\n*3\r\n:0\r\n:9\r\n{a}")).unwrap();
        let partly = read(&format!(
            "*2\r\n*4\r\n:0\r\n:3\r\n{a}{b}*3\r\n:4\r\n:9\r\n{a}"
        ));
        let partly = partly.unwrap();
        assert_ne!(alone, partly);
        assert!(alone.has_masters_of(&partly) && partly.has_masters_of(&alone));
        for other in [
            format!("*2\r\n*3\r\n:0\r\n:3\r\n{a}*3\r\n:4\r\n:9\r\n{b}"),
            format!("*1\r\n*3\r\n:0\r\n:8\r\n{a}"),
            format!("*1\r\n*3\r\n:0\r\n:9\r\n{b}"),
            format!("*2\r\n*3\r\n:0\r\n:3\r\n{a}*3\r\n:5\r\n:9\r\n{a}"),
        ] {
            assert!(!alone.has_masters_of(&read(&other).unwrap()), "{other}");
        }
    }

    #[test]
    fn a_node_without_a_name_is_the_one_that_was_asked() {
        for host in ["$0\r\n\r\n", "$-1\r\n"] {
            let read = read(&format!("*1\r\n*3\r\n:0\r\n:9\r\n*2\r\n{host}:7\r\n")).unwrap();
            assert_eq!(read.ranges()[0].master, at("seed", 7));
        }
        let unknown = read("*1\r\n*3\r\n:0\r\n:9\r\n*2\r\n$1\r\n?\r\n:7\r\n").unwrap();
        assert_eq!((unknown.covered(), unknown.nameless()), (0, 10));
    }

    #[test]
    fn an_answer_that_is_not_a_topology_is_none() {
        for resp in [
            "+OK\r\n",
            "*1\r\n:1\r\n",
            "*1\r\n*2\r\n:0\r\n:1\r\n",
            "*1\r\n*3\r\n:9\r\n:0\r\n*2\r\n$1\r\nh\r\n:7\r\n",
            "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\nh\r\n:7\r\n",
            "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\nh\r\n:70000\r\n",
        ] {
            assert_eq!(read(resp), None, "{resp}");
        }
    }
}
