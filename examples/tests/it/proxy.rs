//! The caching proxy between clients and origins that do not keep to HTTP.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::example::Example;

/// More than any answer takes.
const PATIENCE: Duration = Duration::from_secs(20);
const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine";

/// An origin that gives one answer to everything, and remembers what it was asked.
struct Origin {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Origin {
    fn answering(answer: impl Into<String>) -> Self {
        let (answer, heard) = (answer.into(), Arc::default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let told = Arc::clone(&heard);
        // It ends with the process of the tests.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, told) = (answer.clone(), Arc::clone(&told));
                thread::spawn(move || serve(stream, &answer, &told));
            }
        });
        Self { address, heard }
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

/// Answers each request that has come whole.
fn serve(mut stream: TcpStream, answer: &str, told: &Mutex<Vec<String>>) {
    let mut received = String::new();
    let mut buffer = [0; 8 * 1024];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        received.push_str(&String::from_utf8_lossy(&buffer[..read]));
        let head = received.split_once("\r\n\r\n");
        let is_whole = head.is_some_and(|(head, body)| {
            let head = head.to_lowercase();
            match head.split_once("content-length: ") {
                Some((_, length)) => body.len() >= length.lines().next().unwrap().parse().unwrap(),
                None => !head.contains("transfer-encoding") || body.ends_with("0\r\n\r\n"),
            }
        });
        if is_whole {
            told.lock().unwrap().push(std::mem::take(&mut received));
            let _ = stream.write_all(answer.as_bytes());
        }
    }
}

fn before(origin: &Origin) -> Example {
    let origin = format!("http://{}", origin.address);
    Example::start_with("caching_proxy", &[("ORIGIN", &origin), ("TIMEOUT", "2")])
}

/// Sends the bytes, and returns all that comes back.
fn ask(proxy: &Example, request: &str) -> String {
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_request_whose_body_cannot_be_read_is_a_400() {
    let origin = Origin::answering(FINE);
    let proxy = before(&origin);
    for body in [
        "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nx\r\n",
        "Transfer-Encoding: gzip\r\n\r\nhello",
        "Content-Length: five\r\n\r\nhello",
        "Content-Length: -5\r\n\r\nhello",
        "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    ] {
        let request =
            format!("POST /form HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n{body}");
        let answer = ask(&proxy, &request);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{body:?}: {answer:?}");
        assert!(origin.heard().is_empty(), "{body:?}");
    }
}

#[test]
fn a_client_that_stops_in_the_middle_is_not_taken_for_an_origin_that_failed() {
    let origin = Origin::answering(FINE);
    let proxy = before(&origin);
    for body in [
        "Content-Length: 10\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
    ] {
        let request = format!("POST /form HTTP/1.1\r\nHost: a.example\r\n{body}");
        // It goes on to wait.
        let answer = ask(&proxy, &request);
        assert!(answer.starts_with("HTTP/1.1 408 "), "{body:?}: {answer:?}");
        // It has said all that it says.
        let mut stream = TcpStream::connect(proxy.address()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let is_told = answer.is_empty() || answer.starts_with("HTTP/1.1 400 ");
        assert!(is_told, "{body:?}: {answer:?}");
        assert!(origin.heard().is_empty(), "{body:?}");
    }
    // The proxy is as well as before.
    let answer = ask(
        &proxy,
        "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn a_request_with_more_fields_than_anybody_reads_is_a_431() {
    let origin = Origin::answering(FINE);
    let proxy = before(&origin);
    let fields = "X-Field: a\r\n".repeat(1_000);
    let answer = ask(
        &proxy,
        &format!("GET / HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n"),
    );
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert!(origin.heard().is_empty());
}

#[test]
fn an_origin_that_does_not_keep_to_http_is_a_502_and_one_that_says_nothing_a_504() {
    let many = "X-Field: a\r\n".repeat(1_000);
    for (answer, status) in [
        (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            502,
        ),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", 502),
        ("no HTTP at all\r\n\r\n", 502),
        ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", 502),
        (&format!("HTTP/1.1 200 OK\r\n{many}\r\n"), 502),
        ("", 504),
    ] {
        let origin = Origin::answering(answer);
        let proxy = before(&origin);
        // An upgrade is not sent on, whoever asks for it.
        for fields in ["", "Connection: upgrade, close\r\nUpgrade: websocket\r\n"] {
            let request =
                format!("GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n{fields}\r\n");
            let told = ask(&proxy, &request);
            let expected = format!("HTTP/1.1 {status} ");
            assert!(told.starts_with(&expected), "{answer:.60?}: {told:?}");
            for heard in origin.heard() {
                assert!(!heard.to_lowercase().contains("upgrade"), "{heard}");
            }
        }
    }
}

#[test]
fn an_origin_that_says_continue_without_an_end_is_a_504_and_keeps_nobody_else_waiting() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = Origin {
        address: listener.local_addr().unwrap(),
        heard: Arc::default(),
    };
    thread::spawn(move || {
        let more = "HTTP/1.1 100 Continue\r\n\r\n".repeat(4_000);
        for mut stream in listener.incoming().flatten() {
            let more = more.clone();
            thread::spawn(move || {
                // An answer before the request would be another fault.
                let _ = stream.read(&mut [0; 1024]);
                while stream.write_all(more.as_bytes()).is_ok() {}
            });
        }
    });
    let proxy = before(&origin);
    let ask = |method: &str| {
        let fields = "Host: a.example\r\nMax-Forwards: 0\r\nConnection: close";
        ask(&proxy, &format!("{method} / HTTP/1.1\r\n{fields}\r\n\r\n"))
    };
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..2).map(|_| scope.spawn(|| ask("GET"))).collect();
        while !waiting.iter().all(|it| it.is_finished()) {
            let other = ask("OPTIONS");
            assert!(other.starts_with("HTTP/1.1 200 "), "{other:?}");
        }
        for waiting in waiting {
            let answer = waiting.join().unwrap();
            assert!(answer.starts_with("HTTP/1.1 504 "), "{answer:?}");
        }
    });
}

#[test]
fn a_response_names_the_length_that_it_has() {
    let get = "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
    for (answer, status, length, body) in [
        (
            "200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            200,
            None,
            "3\r\nabc\r\n0\r\n\r\n",
        ),
        (
            "204 No Content\r\nContent-Length: 3\r\n\r\nabc",
            204,
            None,
            "",
        ),
        ("204 No Content\r\nContent-Length: 0\r\n\r\n", 204, None, ""),
        (
            "200 OK\r\nContent-Length: 3, 3\r\n\r\nabc",
            200,
            Some("3"),
            "abc",
        ),
        (
            "200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
            200,
            Some("3"),
            "abc",
        ),
        (
            "200 OK\r\nContent-Length: 3, 4\r\n\r\nabc",
            502,
            Some("0"),
            "",
        ),
        (
            "200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            502,
            Some("0"),
            "",
        ),
    ] {
        let origin = Origin::answering(format!("HTTP/1.1 {answer}"));
        let told = ask(&before(&origin), get);
        let (head, rest) = told.split_once("\r\n\r\n").unwrap_or_default();
        let said: Vec<_> = head
            .lines()
            .filter_map(|line| line.strip_prefix("content-length: "))
            .collect();
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer:?}: {told:?}"
        );
        assert_eq!(said, length.into_iter().collect::<Vec<_>>(), "{answer:?}");
        assert_eq!(rest, body, "{answer:?}");
    }
}

#[test]
fn a_body_in_a_coding_that_nobody_takes_off_is_not_sent_on() {
    let origin = Origin::answering(FINE);
    let proxy = before(&origin);
    for (codings, status) in [
        ("Transfer-Encoding: gzip, chunked", 501),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", 501),
        ("Transfer-Encoding: identity, chunked", 501),
        ("Transfer-Encoding: chunked, chunked", 400),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            400,
        ),
        ("Transfer-Encoding: Chunked", 200),
    ] {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n{codings}\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        );
        let told = ask(&proxy, &request);
        assert!(
            told.starts_with(&format!("HTTP/1.1 {status} ")),
            "{codings:?}: {told:?}"
        );
        assert_eq!(origin.heard().is_empty(), status != 200, "{codings:?}");
    }
}

#[test]
fn a_question_about_the_way_is_answered_by_the_last_one_that_may_get_it() {
    let origin = Origin::answering(FINE);
    let proxy = before(&origin);
    let ask = |method: &str, fields: &str| {
        let request = format!(
            "{method} /x HTTP/1.1\r\nHost: a.example\r\nCookie: secret=1\r\n{fields}Connection: close\r\n\r\n"
        );
        ask(&proxy, &request)
    };
    let options = ask("OPTIONS", "Max-Forwards: 0\r\n");
    assert!(options.starts_with("HTTP/1.1 200 "), "{options}");
    assert!(options.contains("allow: GET, HEAD"), "{options}");
    let trace = ask("TRACE", "Max-Forwards: 0\r\n");
    assert!(trace.contains("content-type: message/http"), "{trace}");
    assert!(
        trace.contains("\r\n\r\nTRACE /x HTTP/1.1\r\nhost: a.example"),
        "{trace}"
    );
    assert!(!trace.contains("secret"), "{trace}");
    for wrong in [
        "Max-Forwards: x\r\n",
        "Max-Forwards:\r\n",
        "Max-Forwards: 1\r\nMax-Forwards: 1\r\n",
    ] {
        let answer = ask("OPTIONS", wrong);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{wrong:?}: {answer}");
    }
    assert_eq!(origin.heard(), Vec::<String>::new());

    let endless = "9".repeat(40);
    for (method, sent, heard) in [
        ("OPTIONS", "1", "max-forwards: 0"),
        ("TRACE", "10", "max-forwards: 9"),
        (
            "OPTIONS",
            endless.as_str(),
            "max-forwards: 18446744073709551614",
        ),
        ("GET", "0", "max-forwards: 0"),
    ] {
        let answer = ask(method, &format!("Max-Forwards: {sent}\r\n"));
        assert!(
            answer.starts_with("HTTP/1.1 200 "),
            "{method} {sent}: {answer}"
        );
        let [told] = &origin.heard()[..] else {
            panic!("{method} {sent}: not one request");
        };
        assert!(told.contains(&format!("{heard}\r\n")), "{told}");
    }
    ask("OPTIONS", "");
    assert!(!origin.heard()[0].contains("max-forwards"));
}

#[test]
fn the_options_of_a_whole_server_are_asked_for_as_those_of_a_star() {
    let origin = Origin::answering(FINE);
    let proxy = before(&origin);
    for (target, method, line) in [
        ("http://b.example", "OPTIONS", "OPTIONS * HTTP/1.1"),
        ("http://b.example:81", "OPTIONS", "OPTIONS * HTTP/1.1"),
        ("*", "OPTIONS", "OPTIONS * HTTP/1.1"),
        ("/", "OPTIONS", "OPTIONS / HTTP/1.1"),
        ("http://b.example/x", "OPTIONS", "OPTIONS /x HTTP/1.1"),
        ("http://b.example?x", "OPTIONS", "OPTIONS /?x HTTP/1.1"),
        ("http://b.example", "GET", "GET / HTTP/1.1"),
    ] {
        let request =
            format!("{method} {target} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
        let answer = ask(&proxy, &request);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{target}: {answer}");
        let heard = origin.heard().remove(0);
        assert!(
            heard.starts_with(&format!("{line}\r\n")),
            "{target}: {heard}"
        );
        let authority = target.strip_prefix("http://").unwrap_or("a.example");
        let host = authority.split(['/', '?']).next().unwrap();
        let host = if host.starts_with('*') {
            "a.example"
        } else {
            host
        };
        assert!(
            heard.contains(&format!("host: {host}\r\n")),
            "{target}: {heard}"
        );
    }
}
