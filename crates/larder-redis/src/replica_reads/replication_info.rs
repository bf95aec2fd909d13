use std::collections::HashMap;

use ::redis::{Cmd, Value};

use crate::connection::HostPort;
use crate::reply::text;

/// The role and offset of a server, from `INFO replication`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ReplicationInfo {
    Master {
        /// The number of bytes that it has written for its replicas.
        position: Position,
        /// The replicas that are online.
        replicas: Vec<HostPort>,
    },
    Replica {
        /// The number of bytes that it has applied.
        position: Position,
        /// Whether it is connected to its master.
        is_linked: bool,
    },
}

/// An offset in a replication history.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// The replication ID.
    pub(super) id: String,
    pub(super) offset: u64,
    /// The earlier history that it continues, and the first byte that is no longer part of that.
    pub(super) past: Option<(String, u64)>,
}

impl Position {
    /// Returns whether it has the first `offset` bytes under `id`.
    pub(super) fn has(&self, id: &str, offset: u64) -> bool {
        self.id == id && self.offset >= offset
    }

    /// Returns whether it [has](Self::has) them, even if it has written more since.
    pub(super) fn has_had(&self, id: &str, offset: u64) -> bool {
        let past = self.past.as_ref();
        self.has(id, offset) || past.is_some_and(|(past, end)| past == id && *end > offset)
    }
}

impl ReplicationInfo {
    /// Returns the command that asks for this information.
    pub(super) fn command() -> Cmd {
        let mut command = ::redis::cmd("INFO");
        command.arg("replication");
        command
    }

    /// Returns whether the user may not run `INFO`.
    pub(super) fn is_denied(answer: &Value) -> bool {
        matches!(answer, Value::ServerError(error) if error.code() == "NOPERM")
    }

    /// Parses the answer. None if it has another form.
    pub(super) fn read(answer: &Value) -> Option<Self> {
        let lines = text(answer)?.lines();
        let fields: HashMap<_, _> = lines.filter_map(|line| line.split_once(':')).collect();
        let number = |name| fields.get(name)?.parse().ok();
        let id = |name| fields.get(name).map(|id| (*id).to_owned());
        let position = |offset| {
            Some(Position {
                id: id("master_replid")?,
                offset: number(offset)?,
                // It is -1 where there is none.
                past: id("master_replid2").zip(number("second_repl_offset")),
            })
        };
        match *fields.get("role")? {
            "master" => Some(Self::Master {
                position: position("master_repl_offset")?,
                replicas: (0_u32..)
                    .map_while(|at| fields.get(format!("slave{at}").as_str()))
                    .filter_map(|replica| host_port(replica))
                    .collect(),
            }),
            "slave" => Some(Self::Replica {
                position: position("slave_repl_offset")?,
                is_linked: fields.get("master_link_status") == Some(&"up"),
            }),
            _ => None,
        }
    }
}

/// Returns the address of a replica in a master's answer. None if it is not online.
fn host_port(replica: &str) -> Option<HostPort> {
    let mut fields = replica.split(',').filter_map(|field| field.split_once('='));
    let (mut host, mut port, mut is_online) = (None, None, false);
    for (name, value) in &mut fields {
        match name {
            "ip" => host = Some(value.to_owned()),
            "port" => port = value.parse().ok().filter(|&port| port != 0),
            "state" => is_online = value == "online",
            _ => {}
        }
    }
    let host = host.filter(|host| is_online && !host.is_empty())?;
    Some(HostPort { host, port: port? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Option<ReplicationInfo> {
        let text = format!("# Replication\r\n{}\r\n", lines.join("\r\n"));
        ReplicationInfo::read(&Value::BulkString(text.into_bytes()))
    }

    fn at_offset(offset: u64) -> Position {
        Position {
            id: "abc".to_owned(),
            offset,
            past: None,
        }
    }

    #[test]
    fn a_master_names_its_replicas_and_how_much_it_has_written() {
        let master = read(&[
            "role:master",
            "connected_slaves:3",
            "slave0:ip=10.0.0.1,port=7001,state=online,offset=9,lag=0",
            "slave1:ip=10.0.0.2,port=7002,state=wait_bgsave,offset=0,lag=0",
            "slave2:ip=db.example,port=7003,state=online,offset=7,lag=1",
            "master_replid:abc",
            "master_replid2:0000",
            "master_repl_offset:42",
            "second_repl_offset:-1",
        ]);
        let at = |host: &str, port| HostPort {
            host: host.to_owned(),
            port,
        };
        let expected = ReplicationInfo::Master {
            position: at_offset(42),
            replicas: vec![at("10.0.0.1", 7001), at("db.example", 7003)],
        };
        assert_eq!(master, Some(expected));
    }

    #[test]
    fn a_replica_says_how_far_it_is_and_whether_it_has_its_master() {
        let replica = |link| {
            read(&[
                "role:slave",
                link,
                "slave_read_repl_offset:50",
                "slave_repl_offset:40",
                "master_replid:abc",
                "master_repl_offset:45",
            ])
        };
        for (link, is_linked) in [
            ("master_link_status:up", true),
            ("master_link_status:down", false),
        ] {
            let expected = ReplicationInfo::Replica {
                position: at_offset(40),
                is_linked,
            };
            assert_eq!(replica(link), Some(expected));
        }
    }

    #[test]
    fn a_promoted_replica_keeps_its_masters_writes() {
        let heir = read(&[
            "role:master",
            "master_replid:def",
            "master_replid2:abc",
            "master_repl_offset:90",
            "second_repl_offset:51",
        ]);
        let Some(ReplicationInfo::Master { position, .. }) = heir else {
            panic!("{heir:?}");
        };
        assert!(position.has("def", 90) && !position.has("def", 91));
        assert!(position.has_had("abc", 50) && !position.has("abc", 50));
        assert!(!position.has_had("abc", 51) && !position.has_had("xyz", 1));
    }

    #[test]
    fn an_unknown_form_is_ignored() {
        assert_eq!(read(&["role:master", "master_replid:abc"]), None);
        for offset in ["-1", "", "1e3", "99999999999999999999"] {
            let offset = format!("master_repl_offset:{offset}");
            assert_eq!(read(&["role:master", "master_replid:abc", &offset]), None);
        }
        assert_eq!(read(&["role:sentinel", "master_replid:abc"]), None);
        assert_eq!(read(&[]), None);
        assert_eq!(ReplicationInfo::read(&Value::Nil), None);
    }
}
