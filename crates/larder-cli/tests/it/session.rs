//! Sessions of a real app, listed and revoked.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use larder::Store;
use larder::session::{Session, SessionLayer, Sessions};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Meanwhile, larder, prefixed, run, run_with, server};

type Body = Empty<Bytes>;

/// Signs `user` in, as a handler does.
pub(crate) async fn sign_in(store: &Arc<dyn Store>, user: &str) {
    let user = user.to_owned();
    let handler = service_fn(move |request: Request<Body>| {
        let user = user.clone();
        async move {
            let session = Session::from_extensions(request.extensions()).unwrap();
            session.log_in(user).await.unwrap();
            Ok::<_, Infallible>(Response::new(Body::new()))
        }
    });
    let layer = SessionLayer::new(Sessions::new(store.clone()).unwrap());
    let response = layer
        .layer(handler)
        .oneshot(Request::new(Body::new()))
        .await
        .unwrap();
    assert!(response.headers().contains_key("set-cookie"));
}

#[tokio::test]
async fn sessions_are_listed_and_those_of_a_user_end_after_a_question() {
    let (server, store) = server().await;
    for user in ["ann", "ann", "bob"] {
        sign_in(&store, user).await;
    }
    let url = server.url();
    let all = larder(&url, "session ls --json").await.json();
    assert_eq!(all.as_array().unwrap().len(), 3);
    let of_ann = larder(&url, "session ls --user ann --json").await.json();
    assert_eq!(of_ann.as_array().unwrap().len(), 2);
    let shown = larder(&url, "session ls").await.ok();
    assert!(
        shown.out.contains("bob") && shown.out.contains("in 29 min"),
        "{shown:?}"
    );

    let device = of_ann[0]["device"].as_str().unwrap();
    let explain = format!("explain session:{{{device}}}");
    let explained = larder(&url, &explain).await.ok();
    for text in ["signed in", "ago", "in 29 min"] {
        assert!(explained.out.contains(text), "{explained:?}");
    }
    let words = ["session", "revoke", "--user", "ann", "--device", device];
    let asked = run(&url, &words, "n\n").await;
    asked.complains(1, "This ends 1 session.");
    run(&url, &words, "y\n").await.ok();
    let explained = larder(&url, &explain).await.ok();
    assert!(
        explained.out.contains("Administrator"),
        "who ended it: {explained:?}"
    );
    let explained = larder(&url, "explain session:{nobody}").await;
    assert_eq!(
        (explained.code, explained.out.contains("absent")),
        (1, true)
    );
    let words = ["session", "revoke", "--user", "bob", "--device", device];
    assert_eq!(
        run(&url, &words, "y\n").await.code,
        2,
        "a session of another user"
    );

    let asked = larder(&url, "session revoke --user ann").await;
    asked.complains(1, "1 session of the user");
    let done = larder(&url, "session revoke --user ann --yes --json")
        .await
        .json();
    assert_eq!(done["done"], 1);
    let again = larder(&url, "session revoke --user ann --yes").await;
    assert_eq!((again.code, &*again.out), (1, "0 sessions ended\n"));
    let left = larder(&url, "session ls --json").await.json();
    assert_eq!(
        (left.as_array().unwrap().len(), &left[0]["user"]),
        (1, &"bob".into())
    );
    // The app ends the sessions of all users.
    let sessions = Sessions::new(store.clone()).unwrap();
    sessions.revoke_everyone().await.unwrap();
    sign_in(&store, "cid").await;
    let left = larder(&url, "session ls --json").await.json();
    assert_eq!(
        (left.as_array().unwrap().len(), &left[0]["user"]),
        (1, &"cid".into())
    );
}

#[tokio::test]
async fn all_sessions_of_one_app_end_and_those_of_another_stay() {
    let (server, store) = server().await;
    let app = prefixed(&store);
    for user in ["ann", "bob"] {
        sign_in(&app, user).await;
        sign_in(&store, user).await;
    }
    let url = server.url();
    let asked = run(
        &url,
        &["--namespace", "prod:app", "session", "revoke", "--all"],
        "no\n",
    )
    .await;
    asked.complains(1, "all 2 sessions, of 2 users");
    let done = larder(
        &url,
        "--namespace prod:app session revoke --all --yes --json",
    )
    .await;
    assert_eq!(done.json()["done"], 2);
    let left = larder(&url, "--namespace prod:app session ls --json")
        .await
        .json();
    assert_eq!(left.as_array().unwrap().len(), 0);
    assert_eq!(
        Sessions::new(app)
            .unwrap()
            .devices("ann")
            .await
            .unwrap()
            .len(),
        0
    );
    assert_eq!(
        Sessions::new(store)
            .unwrap()
            .devices("ann")
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn sessions_of_a_user_stay_if_there_are_more_than_was_said() {
    let (server, store) = server().await;
    sign_in(&store, "ann").await;
    let url = server.url();
    let mut input = Meanwhile::new(&url, async |store| sign_in(&store, "ann").await);
    let ran = run_with(&url, &["session", "revoke", "--user", "ann"], &mut input).await;
    ran.complains(1, "has signed in since the question");
    let sessions = Sessions::new(store).unwrap();
    assert_eq!(sessions.devices("ann").await.unwrap().len(), 2);

    // All end whatever their number, and each is counted.
    let mut input = Meanwhile::new(&url, async |store| sign_in(&store, "bob").await);
    let ran = run_with(&url, &["session", "revoke", "--all"], &mut input).await;
    assert!(ran.err.contains("all 2 sessions, of 1 user"), "{ran:?}");
    assert_eq!((ran.code, &*ran.out), (0, "3 sessions ended\n"));
    let nothing = larder(&url, "session ls").await.ok();
    assert!(nothing.out.contains("--namespace"), "{nothing:?}");
}

#[tokio::test]
async fn a_later_session_of_a_user_stays_though_an_earlier_one_has_ended() {
    let (server, store) = server().await;
    let url = server.url();
    sign_in(&store, "ann").await;
    let sessions = Sessions::new(store.clone()).unwrap();
    let first = sessions.devices("ann").await.unwrap()[0].id;
    let mut input = Meanwhile::new(&url, async move |store| {
        let sessions = Sessions::new(store.clone()).unwrap();
        assert!(sessions.revoke("ann", first).await.unwrap());
        sign_in(&store, "ann").await;
    });
    let words = ["session", "revoke", "--user", "ann", "--json"];
    let ran = run_with(&url, &words, &mut input).await;
    ran.complains(1, "has signed in since the question; nothing was done");
    ran.prints(1, "\"done\": 0");
    assert_eq!(sessions.devices("ann").await.unwrap().len(), 1);

    // It does not matter that some have gone.
    sign_in(&store, "ann").await;
    let first = sessions.devices("ann").await.unwrap()[0].id;
    let mut input = Meanwhile::new(&url, async move |store| {
        let sessions = Sessions::new(store).unwrap();
        assert!(sessions.revoke("ann", first).await.unwrap());
    });
    let ran = run_with(&url, &words, &mut input).await;
    assert_eq!(ran.json()["done"], 1);
}

#[tokio::test]
async fn sessions_are_not_listed_if_it_is_unknown_when_all_users_were_signed_out() {
    let (server, store) = server().await;
    sign_in(&store, "ann").await;
    let everyone = "session-everyone:{all}";
    for (command, line) in [
        ("SET", "session ls"),
        ("LPUSH", "session ls"),
        ("LPUSH", "session revoke --all --yes"),
    ] {
        server.command(&["DEL", everyone]).unwrap();
        server.command(&[command, everyone, "x"]).unwrap();
        let ran = larder(&server.url(), line).await;
        assert_eq!((ran.code, &*ran.out), (2, ""), "{command}: {ran:?}");
    }
}

#[tokio::test]
async fn what_hinders_the_count_of_sessions_does_not_hinder_their_end() {
    let (server, store) = server().await;
    let url = server.url();
    let sessions = Sessions::new(store.clone()).unwrap();
    let left = async || sessions.devices("ann").await.unwrap().len();

    sign_in(&store, "ann").await;
    server.command(&["LPUSH", "session:{a}", "x"]).unwrap();
    let done = larder(&url, "session revoke --all --yes --json").await;
    assert_eq!(done.json()["done"], 1);
    assert_eq!(left().await, 0);

    sign_in(&store, "ann").await;
    let rights = ["ACL", "SETUSER", "op", "on", ">pw", "~*", "&*", "+@all"];
    server.command(&[&rights[..], &["-scan"]].concat()).unwrap();
    let url = url.replace("redis://", "redis://op:pw@");
    let words = ["session", "revoke", "--all"];
    let asked = run(&url, &words, "n\n").await;
    asked.complains(1, "could not be counted");
    assert_eq!(left().await, 1);
    let done = run(&url, &words, "y\n").await.ok();
    assert!(done.out.contains("were not counted"), "{done:?}");
    assert_eq!(left().await, 0);
}

#[tokio::test]
async fn with_yes_all_sessions_end_before_any_is_read() {
    let (server, store) = server().await;
    sign_in(&store, "ann").await;
    let mut monitor = server.connect().unwrap();
    let _ = monitor.call(&["MONITOR"]).unwrap();
    let done = larder(&server.url(), "session revoke --all --yes --json").await;
    assert_eq!(done.json()["done"], 1);
    server.command(&["ECHO", "the end"]).unwrap();
    let mut commands = Vec::new();
    while commands
        .last()
        .is_none_or(|last: &String| !last.contains("the end"))
    {
        let next = monitor.receive().unwrap();
        commands.push(next.text().unwrap().to_lowercase());
    }
    let first = |parts: [&str; 2]| {
        let mut commands = commands.iter();
        commands.position(|command| parts.iter().all(|part| command.contains(part)))
    };
    // A script writes the record.
    let end = first(["lua] \"set\"", "session-everyone:{all}"]);
    let scan = first(["\"scan\"", "session:{"]);
    assert!(
        end.is_some() && end < scan,
        "{end:?}, {scan:?}: {commands:#?}"
    );
}

#[tokio::test]
async fn all_sessions_of_several_pages_are_counted_and_freed() {
    let (server, store) = server().await;
    let url = server.url();
    sign_in(&store, "ann").await;
    let keys = server.command(&["KEYS", "session:*"]).unwrap();
    let key = keys.array().unwrap()[0].text().unwrap().into_owned();
    let count = 2_500_u64;
    for number in 1..count {
        let copy = format!("session:{{{number:043}}}");
        server.command(&["COPY", &key, &copy]).unwrap();
    }
    let asked = run(&url, &["session", "revoke", "--all"], "n\n").await;
    asked.complains(1, "all 2500 sessions, of 1 user");
    let done = larder(&url, "session revoke --all --yes --json").await;
    assert_eq!(done.json()["done"], count);
    let left = server.command(&["EXISTS", &key]).unwrap();
    assert_eq!(left.int(), Some(0));
}
