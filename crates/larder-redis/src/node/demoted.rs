//! Recognises the answers of a master that has become a replica.

use ::redis::Value;

/// Returns whether the server refused a write because it is a replica.
pub(super) fn is_read_only(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error) if error.code() == "READONLY")
}

/// Returns whether a demoted server ran nothing of a batch.
///
/// The last answer may be any error, since `WAIT` is refused with an error of its own.
pub(crate) fn ran_nothing(answers: &[Value]) -> bool {
    let Some((last, rest)) = answers.split_last() else {
        return false;
    };
    rest.iter().all(is_read_only) && matches!(last, Value::ServerError(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(line: &str) -> Value {
        ::redis::parse_redis_value(format!("{line}\r\n").as_bytes()).unwrap()
    }

    #[test]
    fn a_demoted_server_ran_nothing_only_where_all_was_refused() {
        let read_only = || answer("-READONLY You can't write");
        let waited = answer("-ERR WAIT cannot be used with replica instances");
        for (answers, ran_nothing_of_it) in [
            (vec![read_only()], true),
            (vec![read_only(), read_only()], true),
            (vec![read_only(), waited], true),
            (vec![answer("$-1"), read_only()], false),
            (vec![read_only(), answer(":1")], false),
            (vec![], false),
        ] {
            assert_eq!(ran_nothing(&answers), ran_nothing_of_it, "{answers:?}");
        }
    }
}
