//! Cached values and responses, in another process than the app's.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use larder::cache::{Cache, Codec};
use larder::response_cache::{Profile, ResponseCacheLayer};
use larder::{Kind, Store, Ttl};
use larder_test::server::RedisCluster;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{connect, larder, prefixed, server};

const FILM: Kind = Kind::evictable("film");

/// An app's cache without a near tier, which shows what is in the store.
pub(crate) fn films(store: &Arc<dyn Store>) -> Cache<u32, String> {
    let builder = Cache::builder(FILM, Ttl::from_secs(600));
    let builder = builder
        .with_stale_if_error(Ttl::from_secs(600))
        .without_near();
    builder.with_far(store.clone()).build().unwrap()
}

#[tokio::test]
async fn a_value_is_explained_shown_on_request_expired_and_purged() {
    let (server, store) = server().await;
    let url = server.url();
    let films = films(&store);
    films
        .insert(7, "The \u{1b}[2J Matrix".to_owned())
        .await
        .unwrap();
    let key = "film:{v0:7}";

    let explained = larder(&url, &format!("explain {key} --json")).await.json();
    assert_eq!(
        (&explained["kind"], &explained["codec"]),
        (&"film".into(), &"MessagePack".into())
    );
    assert!(
        explained["fresh_for"].as_str().unwrap().contains("9 min"),
        "{explained}"
    );
    let got = larder(&url, &format!("cache get {key}")).await.ok();
    assert!(
        got.out.contains("MessagePack") && !got.out.contains("Matrix"),
        "{got:?}"
    );
    let got = larder(&url, &format!("cache get {key} --show-values"))
        .await
        .ok();
    assert!(got.out.contains(r"The \u{1b}[2J Matrix"), "{got:?}");

    let dry = larder(&url, &format!("cache purge {key} --dry-run"))
        .await
        .ok();
    assert!(
        dry.out.contains("a value") && dry.out.contains("Nothing was done"),
        "{dry:?}"
    );
    assert!(films.get(&7).await.is_some());
    let asked = larder(&url, &format!("cache purge {key}")).await;
    asked.complains(1, "removes 1 value.");

    larder(&url, &format!("cache expire {key} --yes"))
        .await
        .ok();
    assert!(films.get(&7).await.is_none(), "it is stale");
    let explained = larder(&url, &format!("explain {key} --json")).await.json();
    assert!(
        explained["store"]
            .as_str()
            .unwrap()
            .contains("no longer fresh"),
        "{explained}"
    );
    assert!(
        !explained["stale_for"].as_str().unwrap().starts_with("0.0"),
        "{explained}"
    );

    larder(&url, &format!("cache purge {key} --yes")).await.ok();
    let gone = larder(&url, &format!("explain {key}")).await;
    gone.prints(1, "nothing is there");
}

#[tokio::test]
async fn values_with_a_tag_go_together_and_a_namespace_may_be_in_the_key() {
    let (server, store) = server().await;
    let (url, store) = (server.url(), prefixed(&store));
    let films = films(&store);
    for film in [1, 2] {
        films
            .insert_with_tags(film, "x".to_owned(), ["noir"])
            .await
            .unwrap();
    }
    films.insert(3, "x".to_owned()).await.unwrap();
    let got = larder(&url, "cache get prod:app:film:{v0:1} --json")
        .await
        .json();
    assert_eq!(got["tags"], 1);
    larder(&url, "--namespace prod:app cache purge --tag noir --yes")
        .await
        .ok();
    assert!(films.get(&1).await.is_none() && films.get(&2).await.is_none());
    assert!(films.get(&3).await.is_some());
}

#[tokio::test]
async fn a_response_is_purged_by_its_uri_and_by_its_tag() {
    let (server, store) = server().await;
    let url = server.url();
    // Each call is another process: it has nothing near.
    let ask = || async {
        let page = service_fn(|_: Request<Full<Bytes>>| async {
            let response = Response::builder().header("cache-control", "max-age=600");
            let response = response.header("cache-tag", "films");
            Ok::<_, Infallible>(response.body(Full::<Bytes>::from("Metropolis")).unwrap())
        });
        let cached = ResponseCacheLayer::new(store.clone()).layer(page);
        let request = Request::get("/films").header("host", "cinema.example");
        let response = cached
            .oneshot(request.body(Full::default()).unwrap())
            .await
            .unwrap();
        let status = response.headers()["cache-status"]
            .to_str()
            .unwrap()
            .to_owned();
        response.into_body().collect().await.unwrap();
        status.contains("hit")
    };
    ask().await;
    assert!(until_hit(&ask).await, "it is stored");
    larder(&url, "cache purge --uri http://cinema.example/films --yes")
        .await
        .ok();
    assert!(!ask().await, "it was purged");
    assert!(until_hit(&ask).await, "it is stored again");
    larder(&url, "cache purge --tag films --yes").await.ok();
    assert!(!ask().await, "its tag was purged");
    assert!(until_hit(&ask).await, "it is stored again");
    larder(&url, "cache purge --tag films --yes").await.ok();
    let line = "explain http://cinema.example/films";
    let purged = larder(&url, &format!("{line} --json")).await;
    purged.prints(1, "a miss: a tag was purged");
    assert!(until_hit(&ask).await);
    let shown = larder(&url, line).await.ok();
    for text in ["stored", "200", "this response", "Cache-Status"] {
        assert!(shown.out.contains(text), "{shown:?}");
    }
    let shown = larder(&url, &format!("{line} --json")).await.json();
    let response = &shown["responses"][0];
    assert_eq!(
        (&response["bytes"], &response["tags"]),
        (&10.into(), &1.into())
    );
    let fresh_for = response["fresh_for"].as_str().unwrap();
    assert!(fresh_for.contains("min"), "{shown}");
    larder(&url, "cache expire --uri http://cinema.example/films --yes")
        .await
        .ok();
    let stale = larder(&url, line).await;
    stale.prints(1, "it is stale");
    larder(&url, "cache purge --uri http://cinema.example/films --yes")
        .await
        .ok();
    let absent = larder(&url, line).await;
    absent.prints(1, "was purged, or has expired");
    let wrong = larder(&url, "explain http:///films").await;
    wrong.complains(2, "absolute URI");
}

/// Waits until the response is stored, which happens behind the response.
async fn until_hit<F: Future<Output = bool>>(ask: impl Fn() -> F) -> bool {
    for _ in 0..500 {
        if ask().await {
            return true;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn a_change_of_a_value_that_is_not_there_says_so() {
    let (server, store) = server().await;
    let url = server.url();
    let films = films(&store);
    for change in ["expire", "purge"] {
        films.insert(7, "Metropolis".to_owned()).await.unwrap();
        let line = format!("cache {change} film:{{v0:8}} film:{{v0:7}} --yes");
        let ran = larder(&url, &line).await;
        ran.prints(1, "1 value changed");
        ran.prints(1, "nothing was there: film:{v0:8}");
        assert!(films.get(&7).await.is_none(), "{change}");
    }
    let ran = larder(&url, "cache purge film:{v0:7} --yes --json").await;
    assert_eq!(ran.code, 1, "{ran:?}");
    let written: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (&written["done"], &written["absent"][0]),
        (&0.into(), &"film:{v0:7}".into())
    );
    let line = "cache purge --tag noir --uri http://cinema.example/films --yes";
    let ran = larder(&url, line).await.ok();
    assert!(ran.out.contains("are not counted"), "{ran:?}");
}

/// A codec of an app, which the command does not have.
struct Own;

impl Codec<String> for Own {
    fn id(&self) -> u8 {
        200
    }

    fn encode(&self, value: &String, out: &mut Vec<u8>) -> larder::Result<()> {
        out.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Option<String> {
        String::from_utf8(bytes.to_vec()).ok()
    }
}

#[tokio::test]
async fn a_value_that_cannot_be_read_is_not_expired_but_can_be_purged() {
    let (server, store) = server().await;
    let url = server.url();
    let own = Cache::<u32, String>::builder(FILM, Ttl::from_secs(600))
        .with_stale_if_error(Ttl::from_secs(600))
        .without_near()
        .with_far_codec(store.clone(), Own)
        .build()
        .unwrap();
    let films = films(&store);
    own.insert(7, "Metropolis".to_owned()).await.unwrap();
    films.insert(8, "Nosferatu".to_owned()).await.unwrap();
    let line = "cache expire film:{v0:7} film:{v0:8} film:{v0:9}";
    let dry = larder(&url, &format!("{line} --dry-run")).await;
    dry.prints(1, "unreadable");
    dry.prints(1, "larder cache purge");
    assert!(films.get(&8).await.is_some());
    let ran = larder(&url, &format!("{line} --yes")).await;
    ran.prints(1, "1 value changed");
    ran.prints(1, "unreadable, and not changed: film:{v0:7}");
    ran.prints(1, "larder cache purge");
    assert_eq!(own.get(&7).await.as_deref(), Some(&"Metropolis".to_owned()));
    assert!(films.get(&8).await.is_none(), "it is stale");

    let ran = larder(&url, "cache expire film:{v0:7} --yes --json").await;
    assert_eq!(ran.code, 1, "{ran:?}");
    let written: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (&written["done"], &written["unreadable"][0]),
        (&0.into(), &"film:{v0:7}".into())
    );
    larder(&url, "cache purge film:{v0:7} --yes").await.ok();
    assert!(own.get(&7).await.is_none(), "it is removed");
}

#[tokio::test]
async fn a_page_is_explained_and_purged_whatever_the_profile_and_the_name_of_its_response_cache() {
    let (server, store) = server().await;
    let url = server.url();
    // Each call is another process. Another profile has other keys.
    let ask = || async {
        let page = service_fn(|_: Request<Full<Bytes>>| async {
            let response = Response::builder().header("cache-control", "max-age=600");
            Ok::<_, Infallible>(response.body(Full::<Bytes>::from("Metropolis")).unwrap())
        });
        let layer = ResponseCacheLayer::builder(store.clone()).with_name("pages");
        let layer = layer.with_profile(Profile::Rfc).build().unwrap();
        let request = Request::get("/films").header("host", "cinema.example");
        let request = request.body(Full::default()).unwrap();
        let response = layer.layer(page).oneshot(request).await.unwrap();
        let status = response.headers()["cache-status"].clone();
        response.into_body().collect().await.unwrap();
        status.to_str().unwrap().contains("hit")
    };
    assert!(until_hit(&ask).await);
    let line = "explain http://cinema.example/films";
    let shown = larder(&url, line).await.ok();
    assert!(shown.out.contains("this response"), "{shown:?}");
    let uri = "--uri http://cinema.example/films --yes";
    larder(&url, &format!("cache expire {uri}")).await.ok();
    let stale = larder(&url, line).await;
    assert!(stale.out.contains("it is stale"), "{stale:?}");
    larder(&url, &format!("cache purge {uri}")).await.ok();
    let purged = larder(&url, line).await;
    assert!(purged.out.contains("was purged"), "{purged:?}");
    assert!(!ask().await, "it was purged");
}

#[tokio::test]
async fn a_uri_that_is_not_absolute_is_refused_before_anything_is_changed() {
    let (server, store) = server().await;
    let url = server.url();
    let films = films(&store);
    films.insert(7, "Metropolis".to_owned()).await.unwrap();
    for verb in ["expire", "purge"] {
        for how in ["--dry-run", "--yes"] {
            let line = format!("cache {verb} film:{{v0:7}} --uri /films {how}");
            let ran = larder(&url, &line).await;
            ran.complains(2, "absolute URI");
            assert_eq!(ran.out, "", "{line}");
        }
    }
    assert!(films.get(&7).await.is_some());
    let shown = larder(&url, "cache get film:{v0:7} --json").await.json();
    assert_ne!(shown["fresh_for"], "0.0 s", "{shown}");
}

#[tokio::test]
async fn a_uri_whose_shard_is_down_keeps_no_other_target_from_being_purged() {
    let cluster = RedisCluster::start().unwrap();
    let films = films(&connect(&cluster.url()).await);
    for id in 0..30 {
        films.insert(id, "Metropolis".to_owned()).await.unwrap();
    }
    cluster.masters()[0].kill();
    let url = format!("{}?timeout_ms=1000&connect_timeout_ms=1000", cluster.url());
    let (mut key, mut uri) = (None, None);
    for id in 0..30 {
        if key.is_none()
            && larder(&url, &format!("cache get film:{{v0:{id}}}"))
                .await
                .code
                == 0
        {
            key = Some(format!("film:{{v0:{id}}}"));
        }
        let page = format!("http://cinema.example/{id}");
        if uri.is_none() && larder(&url, &format!("explain {page}")).await.code == 2 {
            uri = Some(page);
        }
    }
    let (key, uri) = (key.unwrap(), uri.unwrap());
    let ran = larder(&url, &format!("cache purge {key} --uri {uri} --yes")).await;
    assert_eq!(ran.code, 2, "{ran:?}");
    assert_eq!(larder(&url, &format!("cache get {key}")).await.code, 1);
}
