//! The catalogue and the pages of films.

use serde_json::Value;

use crate::plan::Plan;

on_both_backends! {
    the_catalogue_is_searched_filtered_and_paged,
    a_film_has_a_page_and_a_json_twin,
    no_garbage_in_a_query_is_a_servers_error,
}

fn the_catalogue_is_searched_filtered_and_paged(plan: Plan) {
    let app = plan.open();
    let first = app.get("/");
    assert_eq!(first.status, 200);
    assert_eq!(first.header("content-type"), "text/html; charset=utf-8");
    assert!(first.body.contains("3,200 films, page 1 of 134"));
    assert_eq!(first.body.matches("<li class=\"card\">").count(), 24);

    let all = app.get("/api/films").json();
    assert_eq!((&all["total"], &all["pages"]), (&3200.into(), &134.into()));
    for title in titles(&all).iter().take(3) {
        assert!(first.body.contains(&escaped(title)), "{title}");
    }

    let second = app.get("/api/films?page=2").json();
    assert_eq!(second["page"], 2);
    assert!(titles(&second).iter().all(|it| !titles(&all).contains(it)));
    let last = app.get("/api/films?page=100000").json();
    assert_eq!(last["page"], 134);

    let found = app.get("/api/films?q=ALIEN%20scott").json();
    assert!(titles(&found).contains(&"Alien".to_owned()), "{found}");
    assert!(app.get("/?q=ALIEN%20scott").body.contains(">Alien</a>"));

    let horror = app.get("/api/films?genre=Horror").json();
    let total = horror["total"].as_u64().unwrap();
    assert!((1..3200).contains(&total));
    let films = horror["films"].as_array().unwrap();
    assert!(films.iter().all(|it| it["film"]["genre"] == "Horror"));
    let page = app.get("/?genre=Horror").body;
    assert!(page.contains(&format!("{total} films")), "{page}");

    let nothing = app.get("/?q=zzzzzzzz");
    assert_eq!(nothing.status, 200);
    assert!(nothing.body.contains("No film matches that."));
}

fn a_film_has_a_page_and_a_json_twin(plan: Plan) {
    let app = plan.open();
    let twin = app.get("/api/films/42");
    assert_eq!(twin.header("content-type"), "application/json");
    let twin = twin.json();
    assert_eq!(twin["film"]["id"], 42);

    let page = app.get("/films/42");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let title = twin["film"]["title"].as_str().unwrap();
    assert!(page.body.contains(&escaped(title)), "{title}");
    // The page and its JSON come from the same load.
    assert_eq!(twin["queries"], 1);
    assert!(page.body.contains("Loaded with 1 query"), "{}", page.body);
    assert!(page.body.contains("<time datetime=\"20"));
    assert!(app.get("/").body.contains("Loaded with 3 queries"));

    // A film that is shown today has its showings on the page.
    let next = app.get("/api/films").json()["films"][0]["film"]["id"].clone();
    let shown = app.get(&format!("/api/films/{next}")).json();
    let showings = shown["showings"].as_array().unwrap().len();
    assert!(showings >= 1);
    let page = app.get(&format!("/films/{next}")).body;
    assert_eq!(page.matches("<li class=\"ticket\">").count(), showings);
}

fn no_garbage_in_a_query_is_a_servers_error(plan: Plan) {
    let app = plan.open();
    let long = "x".repeat(5_000);
    let queries = [
        "?page=-1",
        "?page=0",
        "?page=1e3",
        "?page=99999999999999999999999",
        "?page=%00",
        "?q=%00",
        "?q=%ff%fe",
        "?q=%",
        "?q=%F0%9F%8E%AC",
        "?q='%20OR%201=1%20--",
        "?q=%22%5B%7B",
        "?q=:%7Bx%7D*%0a%0d",
        "?genre=%F0%9F",
        "?genre=:%7B%7D",
        "?q=a&q=b",
        "?page=1&page=2",
        "?&&==&",
        "?q=%0d%0aSet-Cookie:%20a=b",
        &format!("?q={long}"),
        &format!("?genre={long}"),
        &format!("?{long}"),
    ];
    for query in queries {
        let (page, twin) = (
            app.get(&format!("/{query}")),
            app.get(&format!("/api/films{query}")),
        );
        assert!(
            page.status == 200 || page.status == 400,
            "{query}: {}",
            page.status
        );
        assert_eq!(page.status, twin.status, "{query}");
        assert!(page.headers.get("set-cookie").is_none());
        let media = if page.status == 200 {
            "application/json"
        } else {
            "application/problem+json"
        };
        assert_eq!(twin.header("content-type"), media, "{query}");
    }
    for id in [
        "0",
        "-1",
        "1.5",
        "x",
        "%00",
        "9223372036854775807",
        "92233720368547758070",
    ] {
        assert_eq!(app.get(&format!("/films/{id}")).status, 404, "{id}");
    }
    assert_eq!(app.get("/films/%ff").status, 400);
}

fn titles(page: &Value) -> Vec<String> {
    let films = page["films"].as_array().unwrap();
    let title = |it: &Value| it["film"]["title"].as_str().unwrap().to_owned();
    films.iter().map(title).collect()
}

/// As a template would write it.
fn escaped(title: &str) -> String {
    let title = title.replace('&', "&#38;").replace('\'', "&#39;");
    title.replace('"', "&#34;")
}
