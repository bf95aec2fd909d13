//! A process that does not learn of an edit keeps it from nobody else.

use axum::body::Body;
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
use crate::figures::{MostBooked, Visitors};

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

    /// Returns for how long the page may be cached for everybody, and where its data came from.
    async fn get(&self, path: &str) -> [String; 2] {
        let request = Request::get(path).header("host", "matinee.example");
        let request = request.body(Body::empty()).unwrap();
        let response = self.pages.clone().oneshot(request).await.unwrap();
        ["cache-control", "server-timing"].map(|name| {
            let value = response.headers().get(name);
            value.map_or("", |value| value.to_str().unwrap()).to_owned()
        })
    }
}

#[tokio::test]
async fn what_a_process_remembers_from_before_an_edit_is_cached_for_everybody_but_a_moment() {
    let pool = crate::db::open("sqlite::memory:").await.unwrap();
    let faulty = Faulty::new(Arc::new(MokaStore::new()));
    faulty.switch().lose_messages(100, 7);
    let store: Arc<dyn Store> = Arc::new(faulty);
    let (here, there) = (Process::open(&pool, &store), Process::open(&pool, &store));
    for (data, page) in [("/api/films/7", "/films/7"), ("/api/films", "/")] {
        // The other process has the data in its memory, and no page.
        there.get(data).await;
        let edited = load_film(&pool, 7).await.unwrap().unwrap().film;
        let mut form = FilmForm::from(edited);
        form.title = format!("Another Title of {page}");
        here.editor.save(form.parse(7).unwrap()).await.unwrap();
        let [kept, source] = there.get(page).await;
        assert!(source.contains("hit near"), "{page}: {source}");
        assert!(
            kept.starts_with("public, max-age=5, no-cache="),
            "{page}: {kept}"
        );
    }
    // What comes from the store or the database is kept for longer.
    let [kept, source] = here.get("/films/8").await;
    assert!(source.contains("miss loaded"), "{source}");
    assert!(
        kept.contains("max-age=30, stale-while-revalidate=30"),
        "{kept}"
    );
}

#[tokio::test]
async fn the_first_page_with_a_title_that_a_process_remembers_is_cached_but_a_moment() {
    let pool = crate::db::open("sqlite::memory:").await.unwrap();
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let process = Process::open(&pool, &store);
    MostBooked::new(store).unwrap().count(7, 2).await;
    process.get("/api/films/7").await;
    let [kept, source] = process.get("/").await;
    assert!(source.contains("miss loaded"), "{source}");
    assert!(kept.starts_with("public, max-age=5, no-cache="), "{kept}");
}
