use axum::http::{Method, StatusCode};

use super::world::{VIEWS, in_process, request, world, world_of};

/// What else is behind the guard.
const MORE: [&str; 6] = [
    "page.css",
    "live.js",
    "icon.svg",
    "live",
    "live/queues",
    "nothing",
];

#[tokio::test]
async fn nothing_of_the_page_is_served_past_the_guard() {
    let world = world(in_process()).await;
    for path in VIEWS.into_iter().chain(MORE) {
        let path = format!("/ops/{path}");
        let path = path.trim_end_matches('/');
        for method in [Method::GET, Method::POST] {
            for (who, status) in [
                ("", StatusCode::UNAUTHORIZED),
                ("stranger", StatusCode::FORBIDDEN),
                ("visitor", StatusCode::SEE_OTHER),
            ] {
                let answer = world.send(request(method.clone(), who, path, "")).await;
                assert_eq!(
                    (answer.status, &*answer.body),
                    (status, ""),
                    "{method} {path} {who}"
                );
                assert_eq!(answer.headers["cache-control"], "no-store");
                assert_eq!(answer.headers.contains_key("location"), who == "visitor");
            }
        }
    }
}

#[tokio::test]
async fn nobody_acts_on_a_page_that_is_read_only() {
    let pause = [
        ("action", "pause-queue"),
        ("subject", "queue:{mail}"),
        ("token", "x"),
    ];
    for (allows, who) in [(false, "root"), (true, "reader")] {
        let set = |page: larder_ops::page::OpsPage| match allows {
            true => page.allow_actions().with_drill(),
            false => page.with_drill(),
        };
        let world = world_of(in_process(), set, || ()).await;
        for view in VIEWS {
            let path = format!("/ops/{view}");
            let page = world.get_as(who, path.trim_end_matches('/')).await;
            page.lacks(&[
                "action=\"/ops/actions\"",
                "action=\"/ops/drill\"",
                "name=\"token\"",
            ]);
            page.has(&["read-only"]);
        }
        // The devices of a user can still be looked at.
        let devices = world
            .post_as(who, "/ops/sessions", &[("user", "ann")])
            .await;
        devices.has(&["2 living sessions"]);
        devices.lacks(&["revoke-device"]);
        for path in ["/ops/actions", "/ops/drill"] {
            let refused = world.post_as(who, path, &pause).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        }
        assert!(!world.queue.counts().await.unwrap().is_paused);
    }
}

#[tokio::test]
async fn a_form_needs_the_token_of_its_operator_and_this_site() {
    let world = world(in_process()).await;
    let (token, other) = (
        world.token().await,
        world.get_as("eve", "/ops/queues").await,
    );
    let other = other.hidden("token").unwrap();
    assert!(token.len() >= 43 && token != other);
    let form = |token: &str| format!("action=pause-queue&subject=queue%3A%7Bmail%7D&token={token}");
    for (token, header) in [
        ("", ("accept", "*/*")),
        ("wrong", ("accept", "*/*")),
        (&*other, ("accept", "*/*")),
        (&*token, ("sec-fetch-site", "cross-site")),
        (&*token, ("sec-fetch-site", "same-site")),
        (&*token, ("origin", "https://evil.example")),
        (&*token, ("origin", "null")),
    ] {
        let mut request = request(Method::POST, "root", "/ops/actions", &form(token));
        request
            .headers_mut()
            .insert(header.0, header.1.parse().unwrap());
        let refused = world.send(request).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{header:?}");
        refused.has(&["sent from another site"]);
        assert!(!world.queue.counts().await.unwrap().is_paused, "{header:?}");
    }
    let mut lookup = request(Method::POST, "root", "/ops/sessions", "user=ann");
    lookup
        .headers_mut()
        .insert("sec-fetch-site", "cross-site".parse().unwrap());
    assert_eq!(world.send(lookup).await.status, StatusCode::FORBIDDEN);

    for header in [
        ("sec-fetch-site", "same-origin"),
        ("origin", "https://cinema.example"),
    ] {
        let mut request = request(Method::POST, "root", "/ops/actions", &form(&token));
        request
            .headers_mut()
            .insert(header.0, header.1.parse().unwrap());
        assert_eq!(
            world.send(request).await.status,
            StatusCode::SEE_OTHER,
            "{header:?}"
        );
    }
    assert!(world.queue.counts().await.unwrap().is_paused);
}
