//! Forms that another site makes a visitor's browser send.

use crate::plan::Plan;
use crate::visitor::{ADA, Visitor};

on_both_backends! {
    a_form_of_another_site_does_nothing,
    a_form_of_this_site_is_accepted_from_any_browser,
    behind_a_proxy_that_rewrites_the_host_the_public_url_counts,
}

fn a_form_of_another_site_does_nothing(plan: Plan) {
    let app = plan.open();
    let ada = Visitor::with_a_browser();
    ada.sign_in(app.first(), ADA);
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "Same-Origin")],
        &[
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://evil.example"),
        ],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1")],
    ] {
        let forger = || {
            let forger = Visitor::with_a_browser();
            forger.cookies().copy(ada.cookies());
            let with =
                |forger: Visitor, header: &(&'static str, &str)| forger.with(header.0, header.1);
            headers.iter().fold(forger, with)
        };
        for path in [
            "/sign-out",
            "/account/revoke-all",
            "/sign-in",
            "/no/such/page",
        ] {
            let form = [("email", ADA.email), ("password", ADA.password)];
            // A connection on which a form was not read is closed.
            let answer = forger().post(app.last(), path, &form);
            assert_eq!(answer.status, 403, "{path} {headers:?}");
            assert!(
                answer.body.contains("sent from another site"),
                "{}",
                answer.body
            );
            assert_eq!(answer.header("set-cookie"), "");
        }
        // A link is followed.
        assert_eq!(
            forger().get(app.first(), "/account").status,
            200,
            "{headers:?}"
        );
    }
    assert_eq!(ada.get(app.first(), "/account").status, 200);
}

fn a_form_of_this_site_is_accepted_from_any_browser(plan: Plan) {
    let app = plan.open();
    let own = format!("http://{}", app.first().address());
    for headers in [
        &[("sec-fetch-site", "same-origin")][..],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "same-origin"), ("origin", &own)],
        &[("origin", &own)],
        &[],
    ] {
        let mut visitor = Visitor::new();
        for (name, value) in headers {
            visitor = visitor.with(name, *value);
        }
        visitor.sign_in(app.first(), ADA);
        assert_eq!(visitor.post(app.first(), "/sign-out", &[]).status, 303);
    }
}

fn behind_a_proxy_that_rewrites_the_host_the_public_url_counts(plan: Plan) {
    let app = plan
        .with("PUBLIC_URL", "https://tickets.example/")
        .with("ALLOWED_HOSTS", "inside:3000")
        .open();
    let status = |origin| {
        let visitor = Visitor::new().with("host", "inside:3000");
        let visitor = visitor.with("origin", origin);
        visitor
            .try_sign_in(app.first(), ADA.email, ADA.password)
            .status
            .as_u16()
    };
    assert_eq!(status("https://tickets.example"), 303);
    assert_eq!(status("http://tickets.example"), 403);
    assert_eq!(status("https://tickets.example.evil.example"), 403);
}
