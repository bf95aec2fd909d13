use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::routing::get;
use larder::moka::MokaStore;
use larder::store::ErrorKind;
use larder_test::faulty::{Faulty, Operations, Switch, Trouble};
use sqlx::SqlitePool;
use tokio::task::yield_now;
use tokio::time::timeout;
use tower::ServiceExt;

use super::editor::Saved;
use super::{Editor, FilmForm};
use crate::caching::{self, Tag};
use crate::config::Transport;
use crate::films::{Film, Loader, load_film};

/// An editor, and a page of film 7 behind the response cache, on a store that fails when told to.
struct Bench {
    pool: SqlitePool,
    editor: Editor,
    loader: Loader,
    page: Router,
    trouble: Switch,
}

impl Bench {
    async fn open() -> Self {
        let pool = crate::db::open("sqlite::memory:").await.unwrap();
        let store = Faulty::new(Arc::new(MokaStore::new()));
        let (trouble, store) = (store.switch(), Arc::new(store));
        let cache = caching::layer(store.clone(), Transport::PlainHttp).unwrap();
        let loader = Loader::new(pool.clone(), store).unwrap();
        let editor = Editor::new(pool.clone(), loader.clone(), cache.purger());
        let shown = loader.clone();
        let title = async move || {
            let served = shown.film(7).await.unwrap();
            let kept = caching::for_everybody(Tag::Film(7), [served.source]);
            (kept, served.page.film.title.clone())
        };
        Self {
            page: Router::new().route("/", get(title)).layer(cache),
            pool,
            editor,
            loader,
            trouble,
        }
    }

    /// The title that a visitor sees, and its cache status.
    async fn shown(&self) -> (String, String) {
        let request = Request::get("/").header("host", "matinee.example");
        let request = request.body(Body::empty()).unwrap();
        let (parts, body) = self
            .page
            .clone()
            .oneshot(request)
            .await
            .unwrap()
            .into_parts();
        let title = to_bytes(body, 1_000).await.unwrap();
        let how = parts.headers["cache-status"].to_str().unwrap().to_owned();
        (String::from_utf8(title.into()).unwrap(), how)
    }

    async fn edit(&self, title: &str) -> Film {
        let film = load_film(&self.pool, 7).await.unwrap().unwrap().film;
        let mut form = FilmForm::from(film);
        form.title = title.to_owned();
        form.parse(7).unwrap()
    }
}

#[tokio::test]
async fn an_edit_is_seen_at_once_where_the_page_was_cached() {
    let bench = Bench::open().await;
    bench.shown().await;
    assert!(bench.shown().await.1.contains("; hit"));
    let edit = bench.edit("Another Title").await;
    assert_eq!(bench.editor.save(edit).await.unwrap(), Saved::Everywhere);
    assert_eq!(bench.shown().await.0, "Another Title");
    let page = bench.loader.film(7).await.unwrap().page;
    assert_eq!(
        (page.film.title.as_str(), page.film.revision),
        ("Another Title", 1)
    );
    // It is found by its new title.
    let found: i64 =
        sqlx::query_scalar("SELECT id FROM films WHERE search_text LIKE 'another title%'")
            .fetch_one(&bench.pool)
            .await
            .unwrap();
    assert_eq!(found, 7);
}

#[tokio::test]
async fn of_two_who_edit_one_film_the_second_is_told() {
    let bench = Bench::open().await;
    let (first, second) = (bench.edit("First").await, bench.edit("Second").await);
    assert_eq!(bench.editor.save(first).await.unwrap(), Saved::Everywhere);
    assert_eq!(bench.editor.save(second).await.unwrap(), Saved::Outdated);
    assert_eq!(bench.shown().await.0, "First");
}

#[tokio::test]
async fn a_form_that_is_sent_twice_is_saved_once_and_said_to_be_saved() {
    let bench = Bench::open().await;
    let edit = bench.edit("Another Title").await;
    for _ in 0..2 {
        let saved = bench.editor.save(edit.clone()).await.unwrap();
        assert_eq!(saved, Saved::Everywhere);
    }
    let film = load_film(&bench.pool, 7).await.unwrap().unwrap().film;
    assert_eq!((film.title.as_str(), film.revision), ("Another Title", 1));
}

#[tokio::test]
async fn an_edit_that_could_not_be_purged_is_saved_and_says_so() {
    let bench = Bench::open().await;
    bench.shown().await;
    let edit = bench.edit("Another Title").await;
    let fails = Trouble::Fail(ErrorKind::NotSent);
    bench.trouble.set_on(Operations::Writes, fails);
    assert_eq!(bench.editor.save(edit).await.unwrap(), Saved::NotPurged);
    // This process has dropped it anyway, and does not read it from the store again.
    let film = bench.loader.film(7).await.unwrap();
    assert_eq!(film.page.film.title, "Another Title");
    bench.trouble.clear();
    let again = bench.edit("Another Title").await;
    assert_eq!(bench.editor.save(again).await.unwrap(), Saved::Everywhere);
    assert_eq!(bench.shown().await.0, "Another Title");
}

#[tokio::test]
async fn an_edit_is_purged_even_if_its_admin_hangs_up_after_the_commit() {
    let bench = Bench::open().await;
    bench.shown().await;
    let edit = bench.edit("Another Title").await;
    // The commit is done and the purge hangs when the connection of the admin breaks.
    let wait = Trouble::Delay(Duration::from_millis(50));
    bench.trouble.set_on(Operations::Writes, wait);
    let before = bench.trouble.operations();
    let saving = bench.editor.save(edit);
    let has_begun_to_purge = async {
        while bench.trouble.operations() == before {
            yield_now().await;
        }
    };
    tokio::select! {
        biased;
        saved = saving => panic!("it is not to end yet: {saved:?}"),
        () = has_begun_to_purge => {}
    }
    bench.trouble.clear();
    let is_seen = async {
        while bench.shown().await.0 != "Another Title" {
            yield_now().await;
        }
    };
    let seen = timeout(Duration::from_secs(10), is_seen).await;
    seen.expect("the page of before is let go of");
}

#[test]
fn a_form_says_all_that_is_wrong_with_it() {
    let good = FilmForm {
        title: "  Alien\t3 ".to_owned(),
        running_time_min: " 114 ".to_owned(),
        released: "1992-05-22".to_owned(),
        overview: "One.\r\n\r\nTwo.\u{1b}".to_owned(),
        ..FilmForm::default()
    };
    let edit = good.parse(7).unwrap();
    assert_eq!(edit.title, "Alien 3");
    assert_eq!(edit.running_time_min, Some(114));
    assert_eq!(edit.overview.as_deref(), Some("One.\n\nTwo."));
    assert_eq!(edit.genre, None);
    let bad = FilmForm {
        title: " ".to_owned(),
        overview: "x".repeat(2_001),
        running_time_min: "0".to_owned(),
        released: "22 May".to_owned(),
        certificate: "x".repeat(21),
        ..FilmForm::default()
    };
    assert_eq!(bad.parse(7).unwrap_err().len(), 5);
}
