//! A process that does not learn of an edit keeps it from nobody else.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use larder::Store;
use larder::moka::MokaStore;
use larder_test::faulty::Faulty;
use sqlx::SqlitePool;
use tower::ServiceExt;

use super::*;
use crate::admin::{Editor, FilmForm};
use crate::caching;
use crate::config::{Config, Transport};
use crate::figures::Visitors;

/// One process: its caches and its pages.
struct Process {
    editor: Editor,
    pages: Router,
}

impl Process {
    fn open(pool: &SqlitePool, store: &Arc<dyn Store>) -> Self {
        let cache = caching::layer(store.clone(), Transport::PlainHttp).unwrap();
        let loader = Loader::new(pool.clone(), store.clone()).unwrap();
        let (visitors, _) = Visitors::new(&Config::default(), store.clone()).unwrap();
        let figures = Figures::new(store.clone(), visitors, loader.clone()).unwrap();
        Self {
            editor: Editor::new(pool.clone(), loader.clone(), cache.purger()),
            pages: routes(loader, figures).layer(cache),
        }
    }

    /// Returns the page, and whether it may be cached for everybody.
    async fn get(&self, path: &str) -> (String, bool) {
        let request = Request::get(path).header("host", "matinee.example");
        let request = request.body(Body::empty()).unwrap();
        let response = self.pages.clone().oneshot(request).await.unwrap();
        let is_for_everybody = response.headers().contains_key("cache-tag");
        let body = to_bytes(response.into_body(), 1_000_000).await.unwrap();
        (String::from_utf8(body.into()).unwrap(), is_for_everybody)
    }
}

#[tokio::test]
async fn what_a_process_remembers_from_before_an_edit_is_not_cached_for_everybody() {
    let pool = crate::db::open("sqlite::memory:").await.unwrap();
    let faulty = Faulty::new(Arc::new(MokaStore::new()));
    faulty.switch().lose_messages(100, 7);
    let store: Arc<dyn Store> = Arc::new(faulty);
    let (here, there) = (Process::open(&pool, &store), Process::open(&pool, &store));
    for (data, page) in [("/api/films/7", "/films/7"), ("/api/films", "/")] {
        // The other process has the data in its memory, and no page.
        there.get(data).await;
        let edited = load_film(&pool, 7).await.unwrap().unwrap().film;
        let title = format!("Another Title of {page}");
        let mut form = FilmForm::from(edited);
        form.title.clone_from(&title);
        here.editor.save(form.parse(7).unwrap()).await.unwrap();
        let (_, is_for_everybody) = there.get(page).await;
        assert!(!is_for_everybody, "{page} is from its memory");
    }
    let (seen, is_for_everybody) = here.get("/films/7").await;
    assert!(
        seen.contains("Another Title of /") && is_for_everybody,
        "{seen}"
    );
}
