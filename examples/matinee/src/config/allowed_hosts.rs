use axum::http::uri::Authority;

use super::ConfigError;

/// Parses hosts with optional ports, such as `inside:3000,10.0.0.7`.
pub(super) fn parse(value: &str) -> Result<Vec<String>, ConfigError> {
    let hosts = value.split(',').map(str::trim).map(|host| {
        let parsed: Authority = host.parse().ok()?;
        let name = parsed.host();
        let has_port = parsed.port_u16().is_some();
        (name == host || has_port && !host.contains('@')).then(|| host.to_owned())
    });
    hosts.collect::<Option<_>>().ok_or_else(|| ConfigError {
        name: "ALLOWED_HOSTS",
        value: value.to_owned(),
        expected: "hosts as in the Host header, separated by commas",
        fix: "ALLOWED_HOSTS=tickets.internal:3000,10.0.0.7:3000",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_stand_between_commas_and_are_nothing_but_hosts() {
        let hosts = parse("inside:3000, 10.0.0.7 ,[::1]:3000").unwrap();
        assert_eq!(hosts, ["inside:3000", "10.0.0.7", "[::1]:3000"]);
        for wrong in ["", "a,,b", "http://a", "a/b", "u@a", "a b", "a:99999999"] {
            let text = parse(wrong).unwrap_err().to_string();
            assert!(text.contains("ALLOWED_HOSTS="), "{text}");
        }
    }
}
