use http::{HeaderMap, Method, StatusCode, header};

use super::authority;

/// Returns whether the method is safe (RFC 9110, 9.2.1). An unknown method is not.
pub fn is_safe(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
    )
}

/// Returns the paths that a response to an unsafe request invalidates (RFC 9111, 4.4).
///
/// Those are the request's own path, and the ones that `Location` and `Content-Location` name on the same
/// origin, each with its query. There are none if the request failed. `scheme` and `host` are the origin
/// of the request, in lower case, without a default port.
pub fn invalidated_paths(
    scheme: &str,
    host: &str,
    path: &str,
    status: StatusCode,
    response: &HeaderMap,
) -> Vec<String> {
    if !(status.is_success() || status.is_redirection()) {
        return Vec::new();
    }
    let mut targets = vec![path.to_owned()];
    for name in [header::LOCATION, header::CONTENT_LOCATION] {
        let reference = response.get(name).and_then(|value| value.to_str().ok());
        let target = reference.and_then(|reference| resolve(scheme, host, path, reference));
        targets.extend(target.filter(|target| !targets.contains(target)));
    }
    targets
}

/// Resolves a reference to a path on this origin, or returns None for another origin (RFC 3986, 5.2).
fn resolve(scheme: &str, host: &str, base: &str, reference: &str) -> Option<String> {
    let reference = reference.split('#').next().unwrap_or_default().trim();
    let reference = match reference.split_once(':') {
        Some((named_scheme, rest)) if is_scheme(named_scheme) => {
            if !named_scheme.eq_ignore_ascii_case(scheme) {
                return None;
            }
            rest.starts_with("//").then_some(rest)?
        }
        _ => reference,
    };
    if let Some(rest) = reference.strip_prefix("//") {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (named, path) = rest.split_at(end);
        if !authority(scheme, named)?.eq_ignore_ascii_case(host) {
            return None;
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        return Some(without_dots(&format!("{slash}{path}")));
    }
    if reference.is_empty() {
        return Some(base.to_owned());
    }
    let directory = base.split('?').next().unwrap_or_default();
    if reference.starts_with('?') {
        return Some(format!("{directory}{reference}"));
    }
    if reference.starts_with('/') {
        return Some(without_dots(reference));
    }
    let end = directory.rfind('/').map_or(0, |slash| slash + 1);
    Some(without_dots(&format!("{}{reference}", &directory[..end])))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// Removes `.` and `..` from a path (RFC 3986, 5.2.4). Its query is unchanged.
fn without_dots(target: &str) -> String {
    let (path, query) = match target.find('?') {
        Some(at) => target.split_at(at),
        None => (target, ""),
    };
    if !path.contains("/.") {
        return target.to_owned();
    }
    let mut segments: Vec<&str> = Vec::new();
    let mut is_directory = false;
    for segment in path.split('/').skip(1) {
        is_directory = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    let slash = if is_directory && !segments.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{slash}{query}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resolved(reference: &str) -> Option<String> {
        resolve("http", "a.example", "/b/c/d?q", reference)
    }

    #[test]
    fn references_are_resolved_on_the_same_origin() {
        for (reference, path) in [
            ("", "/b/c/d?q"),
            ("#x", "/b/c/d?q"),
            ("g", "/b/c/g"),
            ("g?y#z", "/b/c/g?y"),
            ("?y", "/b/c/d?y"),
            ("/g", "/g"),
            ("./g", "/b/c/g"),
            ("../g", "/b/g"),
            ("../../../g", "/g"),
            ("..", "/b/"),
            ("/g/./h/../i?../x", "/g/i?../x"),
            ("//A.example/g", "/g"),
            ("//a.example", "/"),
            ("//a.example?x", "/?x"),
            ("HTTP://a.example/g", "/g"),
            ("http://a.example:80/g", "/g"),
            ("//a.example:/g", "/g"),
            ("g:h", ""),
            ("1:2", "/b/c/1:2"),
        ] {
            let expected = (!path.is_empty()).then(|| path.to_owned());
            assert_eq!(resolved(reference), expected, "{reference}");
        }
    }

    #[test]
    fn a_reference_to_another_origin_is_ignored() {
        for reference in [
            "//b.example/g",
            "http://b.example/g",
            "https://a.example/g",
            "http://a.example:81/g",
            "http://x@a.example/g",
            "http:/g",
            "mailto:a.example",
        ] {
            assert_eq!(resolved(reference), None, "{reference}");
        }
    }

    #[test]
    fn a_failed_request_invalidates_nothing() {
        let mut response = HeaderMap::new();
        response.append(header::LOCATION, "/new".parse().unwrap());
        let paths = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            invalidated_paths("http", "a", "/old", status, &response)
        };
        assert_eq!(paths(201), ["/old", "/new"]);
        assert_eq!(paths(303), ["/old", "/new"]);
        assert!(paths(400).is_empty() && paths(500).is_empty());
    }

    #[test]
    fn an_unknown_method_is_not_safe() {
        let search = Method::from_bytes(b"M-SEARCH").unwrap();
        assert!(!is_safe(&search) && !is_safe(&Method::POST) && is_safe(&Method::HEAD));
    }

    proptest! {
        #[test]
        fn no_reference_causes_a_panic(reference in "[a-z:/?#.@ é]{0,24}") {
            if let Some(path) = resolved(&reference) {
                prop_assert!(path.starts_with('/'));
                prop_assert!(!path.split('?').next().unwrap().split('/').any(|part| part == ".."));
            }
        }
    }
}
