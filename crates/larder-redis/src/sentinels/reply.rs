use ::redis::Value;

use crate::connection::{Address, ConnectError, Denial, HostPort};
use crate::reply::{fields, text};

/// The reply of one sentinel about the master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SentinelReply {
    /// It has not replied yet.
    None,
    /// It cannot be asked.
    Failed(String),
    /// It refuses the question, because the user lacks this right.
    Denied(&'static str),
    /// It watches no master of this name.
    NoSuchMaster,
    /// The address of the master, and the epoch of its configuration.
    Master { host_port: HostPort, epoch: u64 },
}

impl SentinelReply {
    /// Reads the answers of `SENTINEL MASTER` and `SENTINEL GET-MASTER-ADDR-BY-NAME`.
    ///
    /// The first has the configuration, the second the address: while a sentinel makes another
    /// server the master, the first still names the old one, already under the new configuration.
    pub(super) fn read(master: Value, address: Value) -> Self {
        if let Value::ServerError(error) = master {
            return Self::refused(error.code(), error.details());
        }
        let fields = fields(master).unwrap_or_default();
        let said = || {
            let mut fields = fields.iter();
            let (_, epoch) = fields.find(|(key, _)| text(key) == Some("config-epoch"))?;
            let Value::Array(address) = &address else {
                return None;
            };
            let [host, port] = address.as_slice() else {
                return None;
            };
            Some(Self::Master {
                host_port: HostPort {
                    host: text(host)?.to_owned(),
                    port: text(port)?.parse().ok()?,
                },
                epoch: text(epoch)?.parse().ok()?,
            })
        };
        said().unwrap_or_else(|| Self::Failed("it does not answer like a sentinel".to_owned()))
    }

    /// Returns the reason why a sentinel cannot be asked.
    pub(super) fn failed(error: &ConnectError, sentinel: &Address) -> Self {
        match error.denial() {
            Some(Denial::Missing) => Self::Denied(MISSING),
            Some(Denial::Wrong) => Self::Denied(WRONG),
            None => {
                let silence = error.silence(sentinel.tls.is_some());
                Self::Failed(silence.map_or_else(|| error.text(), str::to_owned))
            }
        }
    }

    fn refused(code: &str, detail: Option<&str>) -> Self {
        match code {
            "NOAUTH" => Self::Denied(MISSING),
            "WRONGPASS" => Self::Denied(WRONG),
            "NOPERM" => Self::Denied(
                "its user may not ask for the master: grant +sentinel|master and \
                 +sentinel|get-master-addr-by-name",
            ),
            "ERR" if detail.is_some_and(is_about_a_name) => Self::NoSuchMaster,
            _ => Self::Failed("it is not a sentinel".to_owned()),
        }
    }
}

/// Returns whether an error is about the name of the master, which Valkey calls a primary.
fn is_about_a_name(detail: &str) -> bool {
    detail.contains("No such master") || detail.contains("No such primary")
}

const MISSING: &str = "it asks for a user and password: set ?sentinel_pass=…, and \
                       sentinel_user=… unless it is the default user";

const WRONG: &str = "it rejects the user and password of sentinel_user and sentinel_pass";

/// Parses the announcement of a selected replica of the master called `name`.
///
/// It reads `slave <name> <ip> <port> @ <master> <ip> <port>`.
pub(super) fn parse_candidate(announced: &[Value], name: &str) -> Option<HostPort> {
    let [channel, payload] = announced else {
        return None;
    };
    if text(channel) != Some(SELECTED) {
        return None;
    }
    let mut words = text(payload)?.split(' ').skip(2);
    let host_port = HostPort {
        host: words.next()?.to_owned(),
        port: words.next()?.parse().ok()?,
    };
    (words.nth(1)? == name).then_some(host_port)
}

/// The channel on which a sentinel announces the replica that it promotes.
pub(super) const SELECTED: &str = "+selected-slave";

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn at(host: &str, port: u16) -> HostPort {
        let host = host.to_owned();
        HostPort { host, port }
    }

    fn says(port: u16, epoch: u64) -> SentinelReply {
        let host_port = at("h", port);
        SentinelReply::Master { host_port, epoch }
    }

    #[test]
    fn an_answer_is_read_in_both_protocols() {
        let (ip, epoch) = (bulk("ip"), bulk("config-epoch"));
        let address = Value::Array(vec![bulk("h"), bulk("7")]);
        let map = vec![(ip.clone(), bulk("old")), (epoch.clone(), bulk("3"))];
        assert_eq!(
            SentinelReply::read(Value::Map(map), address.clone()),
            says(7, 3)
        );
        let flat = vec![ip, bulk("old"), epoch, bulk("3")];
        assert_eq!(SentinelReply::read(Value::Array(flat), address), says(7, 3));
    }

    #[test]
    fn a_malformed_answer_is_a_failure() {
        let address = || Value::Array(vec![bulk("h"), bulk("7")]);
        let epoch = |epoch| Value::Map(vec![(bulk("config-epoch"), epoch)]);
        for (master, address) in [
            (Value::Nil, address()),
            (Value::Okay, address()),
            (Value::Array(vec![bulk("config-epoch")]), address()),
            (epoch(Value::Int(3)), address()),
            (epoch(bulk("3")), Value::Nil),
            (epoch(bulk("3")), Value::Array(vec![bulk("h")])),
            (epoch(bulk("3")), Value::Array(vec![bulk("h"), bulk("x")])),
        ] {
            assert!(matches!(
                SentinelReply::read(master, address),
                SentinelReply::Failed(_)
            ));
        }
    }

    #[test]
    fn the_replica_that_was_selected_is_read() {
        let payload = bulk("slave 10.0.0.2:7 10.0.0.2 7 @ main 10.0.0.1 6");
        let announced = [bulk(SELECTED), payload.clone()];
        assert_eq!(parse_candidate(&announced, "main"), Some(at("10.0.0.2", 7)));
        assert_eq!(parse_candidate(&announced, "other"), None);
        assert_eq!(parse_candidate(&[bulk("+sdown"), payload], "main"), None);
        assert_eq!(
            parse_candidate(&[bulk(SELECTED), bulk("slave x")], "main"),
            None
        );
    }

    #[test]
    fn a_refusal_names_the_missing_right() {
        let refusal = |line: &str| {
            let answer = ::redis::parse_redis_value(format!("-{line}\r\n").as_bytes());
            SentinelReply::read(answer.unwrap(), Value::Nil)
        };
        let missing = refusal("NOAUTH Authentication required.");
        assert!(matches!(missing, SentinelReply::Denied(why) if why.contains("?sentinel_pass=")));
        let narrow = refusal("NOPERM this user has no permissions");
        assert!(matches!(narrow, SentinelReply::Denied(why) if why.contains("+sentinel|master")));
        for name in ["master", "primary"] {
            let unknown = refusal(&format!("ERR No such {name} with that name"));
            assert_eq!(unknown, SentinelReply::NoSuchMaster);
        }
    }
}
