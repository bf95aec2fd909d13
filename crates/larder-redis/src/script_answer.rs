use ::redis::Value;
use bytes::Bytes;
use larder_store::Result;
use larder_store::program::Wire;

/// Converts an answer of a script for programs.
///
/// Scripts answer in the forms of RESP2, whatever the connection uses; the few others come from
/// scripts that ask for them, and are read as in RESP2.
///
/// # Errors
/// If a list contains an error, or something that is not an answer.
pub(crate) fn wire(value: Value) -> Result<Wire> {
    Ok(match value {
        Value::Nil | Value::Boolean(false) => Wire::Nil,
        Value::Boolean(true) => Wire::Int(1),
        Value::Int(int) => Wire::Int(int),
        Value::BulkString(bytes) => Wire::Bytes(Bytes::from(bytes)),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Wire::Bytes(text.into()),
        Value::Okay => Wire::Bytes(Bytes::from_static(b"OK")),
        Value::Double(double) => Wire::Bytes(double.to_string().into()),
        Value::Array(list) | Value::Set(list) => {
            Wire::List(list.into_iter().map(wire).collect::<Result<_>>()?)
        }
        Value::Map(pairs) => {
            let flat = pairs.into_iter().flat_map(|(name, value)| [name, value]);
            Wire::List(flat.map(wire).collect::<Result<_>>()?)
        }
        Value::Attribute { data, .. } => wire(*data)?,
        _ => return Err(Wire::unexpected("no error inside of a list")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(resp: &str) -> Result<Wire> {
        wire(::redis::parse_redis_value(resp.as_bytes()).unwrap())
    }

    #[test]
    fn both_protocols_read_alike() {
        for (resp2, resp3) in [("$-1\r\n", "_\r\n"), ("*1\r\n:7\r\n", "~1\r\n:7\r\n")] {
            assert_eq!(read(resp2).unwrap(), read(resp3).unwrap());
        }
        assert_eq!(read("+OK\r\n").unwrap(), Wire::Bytes("OK".into()));
        assert_eq!(read(",2.5\r\n").unwrap(), Wire::Bytes("2.5".into()));
        assert_eq!(
            read("%1\r\n+a\r\n:1\r\n").unwrap(),
            Wire::List(vec![Wire::Bytes("a".into()), Wire::Int(1)])
        );
    }

    #[test]
    fn an_error_inside_a_list_is_an_error() {
        assert!(read("*2\r\n:1\r\n-ERR no\r\n").is_err());
    }
}
