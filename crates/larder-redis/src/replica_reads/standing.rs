use std::collections::HashMap;

use ::redis::{Cmd, Value};

use crate::cluster::Place;
use crate::reply::text;

/// The most replicas of one master that are read.
const MOST: usize = 16;

/// Where a server stands in the replication, as it says itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Master {
        id: String,
        /// How many bytes it has written for its replicas.
        offset: u64,
        /// Where those are that have caught up with it once.
        replicas: Vec<Place>,
    },
    Replica {
        id: String,
        /// How many bytes it has carried out.
        offset: u64,
    },
}

impl Standing {
    /// The command that asks for it.
    pub(super) fn command() -> Cmd {
        let mut command = ::redis::cmd("INFO");
        command.arg("replication");
        command
    }

    /// Reads the answer; nothing where it is of another form, or a replica has lost its master.
    pub(super) fn read(answer: &Value) -> Option<Self> {
        let lines = text(answer)?.lines();
        let fields: HashMap<_, _> = lines.filter_map(|line| line.split_once(':')).collect();
        let offset = |name| fields.get(name)?.parse().ok();
        let id = (*fields.get("master_replid")?).to_owned();
        match *fields.get("role")? {
            "master" => Some(Self::Master {
                id,
                offset: offset("master_repl_offset")?,
                replicas: (0..MOST)
                    .map_while(|at| fields.get(format!("slave{at}").as_str()))
                    .filter_map(|replica| place(replica))
                    .collect(),
            }),
            "slave" if fields.get("master_link_status") == Some(&"up") => Some(Self::Replica {
                id,
                offset: offset("slave_repl_offset")?,
            }),
            _ => None,
        }
    }
}

/// Where a replica is that a master names and that is up to date with it, or was.
fn place(replica: &str) -> Option<Place> {
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
    Some(Place { host, port: port? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Option<Standing> {
        let text = format!("# Replication\r\n{}\r\n", lines.join("\r\n"));
        Standing::read(&Value::BulkString(text.into_bytes()))
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
            "master_repl_offset:42",
        ]);
        let at = |host: &str, port| Place {
            host: host.to_owned(),
            port,
        };
        let expected = Standing::Master {
            id: "abc".to_owned(),
            offset: 42,
            replicas: vec![at("10.0.0.1", 7001), at("db.example", 7003)],
        };
        assert_eq!(master, Some(expected));
    }

    #[test]
    fn a_replica_says_how_far_it_is_while_it_has_its_master() {
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
        let expected = Standing::Replica {
            id: "abc".to_owned(),
            offset: 40,
        };
        assert_eq!(replica("master_link_status:up"), Some(expected));
        assert_eq!(replica("master_link_status:down"), None);
    }

    #[test]
    fn what_is_of_another_form_says_nothing() {
        assert_eq!(read(&["role:master", "master_replid:abc"]), None);
        assert_eq!(read(&["role:sentinel", "master_replid:abc"]), None);
        assert_eq!(read(&[]), None);
        assert_eq!(Standing::read(&Value::Nil), None);
    }
}
