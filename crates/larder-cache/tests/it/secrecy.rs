use larder_cache::{Found, LoadError, Loaded, LoaderLayer, Source};

use crate::support::{Broken, counts, far_films, load};

const CANARY: &str = "canary-8d1f";

#[tokio::test]
async fn no_key_value_or_error_of_a_loader_is_shown() {
    let counts = counts();
    let _recording = counts.record();
    let (films, _) = far_films();
    load(&films, &8_001_337, CANARY).await;
    let found: Found<String> = films.find(&8_001_337).await.unwrap();
    assert_eq!(found.source, Source::Near);
    let failed = films
        .get_or_load(&8_001_338, || async { Err::<String, _>(Broken(CANARY)) })
        .await
        .unwrap_err();
    let layer = LoaderLayer::new(films.clone());
    let shown = [
        format!("{films:?} {found:?} {layer:?}"),
        format!("{failed:?} {failed}"),
        format!("{:?}", Loaded::new(CANARY)),
        format!("{counts:?}"),
    ];
    for text in shown {
        assert!(
            !text.contains("canary") && !text.contains("800133"),
            "{text}"
        );
    }
    assert!(format!("{films:?}").contains("film"));
}

#[test]
fn the_error_of_the_loader_is_the_source() {
    let error = LoadError::Loader(std::sync::Arc::new(Broken("no film")));
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "no film");
    assert_eq!(error.to_string(), "load: the loader failed");
}
